//! Plain Rust: works everywhere, and the compiler makes of it what the target's baseline allows.

use super::super::field::Field;
use super::{Kernel, Work};

const BYTES: usize = 64;
type Vector = [u8; BYTES];

/// GF(2^8), one symbol a byte.
#[derive(Clone, Copy)]
pub(in super::super) struct Portable8;

/// GF(2^16); byte i and byte i + 32 of 64 are the low and high byte of symbol i.
#[derive(Clone, Copy)]
pub(in super::super) struct Portable16;

/// The bytes of `columns` for which the bit of `symbols` is set, summed into `sums`.
#[inline(always)]
fn add_products(sums: &mut [u8], symbols: &[u8], columns: &[u8]) {
    for (bit, column) in columns.iter().enumerate() {
        for (sum, symbol) in sums.iter_mut().zip(symbols) {
            *sum ^= (symbol >> bit & 1).wrapping_neg() & column;
        }
    }
}

macro_rules! kernel {
    () => {
        const BYTES: usize = BYTES;
        const OUTPUTS: usize = 1;
        const VECTORS: usize = 1;
        const RADIX_LOG: u32 = 1;
        type Vector = Vector;
        type Operand = Vector;

        fn vectorize<W: Work>(self, work: W) -> W::Output {
            work.run()
        }

        #[inline(always)]
        unsafe fn zero(self) -> Vector {
            [0; BYTES]
        }

        #[inline(always)]
        unsafe fn load(self, from: *const u8) -> Vector {
            // SAFETY: the caller vouches for 64 bytes; an array of bytes has no alignment.
            unsafe { from.cast::<Vector>().read() }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut u8, vector: Vector) {
            // SAFETY: as for `load`.
            unsafe { to.cast::<Vector>().write(vector) }
        }

        #[inline(always)]
        unsafe fn xor(self, a: Vector, b: Vector) -> Vector {
            let mut sum = a;
            sum.iter_mut().zip(b).for_each(|(a, b)| *a ^= b);
            sum
        }

        #[inline(always)]
        unsafe fn operand(self, vector: Vector) -> Vector {
            vector
        }
    };
}

impl Kernel for Portable8 {
    /// The products of the factor with every bit of a symbol.
    type Table = [u8; 8];

    fn table(self, factor: u16) -> [u8; 8] {
        let columns = Field::of_8_bits().columns(factor);
        std::array::from_fn(|bit| columns[bit] as u8)
    }

    #[inline(always)]
    unsafe fn mul(self, operand: Vector, table: &[u8; 8]) -> Vector {
        let mut product = [0; BYTES];
        add_products(&mut product, &operand, table);
        product
    }

    kernel!();
}

impl Kernel for Portable16 {
    /// The same for low and high byte of the product.
    type Table = [[u8; 16]; 2];

    fn table(self, factor: u16) -> [[u8; 16]; 2] {
        let columns = Field::of_16_bits().columns(factor);
        [columns.map(|column| column as u8), columns.map(|column| (column >> 8) as u8)]
    }

    #[inline(always)]
    unsafe fn mul(self, operand: Vector, table: &[[u8; 16]; 2]) -> Vector {
        let mut product = [0; BYTES];
        let (low, high) = operand.split_at(BYTES / 2);
        for (sums, columns) in product.chunks_exact_mut(BYTES / 2).zip(table) {
            add_products(sums, low, &columns[..8]);
            add_products(sums, high, &columns[8..]);
        }
        product
    }

    kernel!();
}
