//! Products by tables of sixteen entries, one lookup a nibble.

use super::lanes::Lookup;
use super::nibbles::{Nibbles8, Nibbles16, nibbles_8, nibbles_16};
use super::{CHUNK, Kernel, Work};

/// GF(2^8), one symbol a byte.
#[derive(Clone, Copy)]
pub(in super::super) struct Shuffle8<L>(pub L);

/// GF(2^16): 32 low bytes, then 32 high bytes.
#[derive(Clone, Copy)]
pub(in super::super) struct Shuffle16<L>(pub L);

impl<L: Lookup> Kernel for Shuffle8<L> {
    const BYTES: usize = L::BYTES;
    const OUTPUTS: usize = L::REGISTERS / 4;
    const VECTORS: usize = if L::REGISTERS < 16 { 1 } else { 2 };
    const RADIX_LOG: u32 = 2;
    type Vector = L::Vector;
    /// Low and high nibbles.
    type Operand = [L::Vector; 2];
    type Table = Nibbles8;

    fn table(self, factor: u16) -> Nibbles8 {
        nibbles_8(factor)
    }

    fn vectorize<W: Work>(self, work: W) -> W::Output {
        self.0.vectorize(work)
    }

    #[inline(always)]
    unsafe fn zero(self) -> L::Vector {
        // SAFETY: as promised to us.
        unsafe { self.0.zero() }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const u8) -> L::Vector {
        // SAFETY: as promised to us.
        unsafe { self.0.load(from) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8, vector: L::Vector) {
        // SAFETY: as promised to us.
        unsafe { self.0.store(to, vector) }
    }

    #[inline(always)]
    unsafe fn xor(self, a: L::Vector, b: L::Vector) -> L::Vector {
        // SAFETY: as promised to us.
        unsafe { self.0.xor(a, b) }
    }

    #[inline(always)]
    unsafe fn operand(self, vector: L::Vector) -> [L::Vector; 2] {
        // SAFETY: as promised to us.
        unsafe { [self.0.low_nibbles(vector), self.0.high_nibbles(vector)] }
    }

    #[inline(always)]
    unsafe fn mul(self, [low, high]: [L::Vector; 2], table: &Nibbles8) -> L::Vector {
        // SAFETY: as promised to us.
        unsafe {
            let low = self.0.lookup(self.0.repeat(&table[0]), low);
            self.0.xor(low, self.0.lookup(self.0.repeat(&table[1]), high))
        }
    }
}

impl<L: Lookup> Kernel for Shuffle16<L> {
    const BYTES: usize = {
        assert!(L::BYTES * 2 == CHUNK);
        CHUNK
    };
    const OUTPUTS: usize = if L::REGISTERS < 16 { 1 } else { 3 };
    const VECTORS: usize = 1;
    const RADIX_LOG: u32 = 2;
    /// Low and high bytes.
    type Vector = [L::Vector; 2];
    /// Nibbles, the lowest first.
    type Operand = [L::Vector; 4];
    type Table = Nibbles16;

    fn table(self, factor: u16) -> Nibbles16 {
        nibbles_16(factor)
    }

    fn vectorize<W: Work>(self, work: W) -> W::Output {
        self.0.vectorize(work)
    }

    #[inline(always)]
    unsafe fn zero(self) -> [L::Vector; 2] {
        // SAFETY: as promised to us.
        unsafe { [self.0.zero(), self.0.zero()] }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const u8) -> [L::Vector; 2] {
        // SAFETY: as promised to us; both halves are within the chunk.
        unsafe { [self.0.load(from), self.0.load(from.add(CHUNK / 2))] }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8, [low, high]: [L::Vector; 2]) {
        // SAFETY: as promised to us; both halves are within the chunk.
        unsafe {
            self.0.store(to, low);
            self.0.store(to.add(CHUNK / 2), high);
        }
    }

    #[inline(always)]
    unsafe fn xor(self, a: [L::Vector; 2], b: [L::Vector; 2]) -> [L::Vector; 2] {
        // SAFETY: as promised to us.
        unsafe { [self.0.xor(a[0], b[0]), self.0.xor(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn operand(self, [low, high]: [L::Vector; 2]) -> [L::Vector; 4] {
        // SAFETY: as promised to us.
        unsafe {
            [self.0.low_nibbles(low), self.0.high_nibbles(low), self.0.low_nibbles(high), self.0.high_nibbles(high)]
        }
    }

    #[inline(always)]
    unsafe fn mul(self, [a, b, c, d]: [L::Vector; 4], table: &Nibbles16) -> [L::Vector; 2] {
        // SAFETY: as promised to us.
        unsafe {
            let of = self.0;
            macro_rules! product {
                ($byte:literal) => {{
                    let low =
                        of.xor(of.lookup(of.repeat(&table[0][$byte]), a), of.lookup(of.repeat(&table[1][$byte]), b));
                    let high =
                        of.xor(of.lookup(of.repeat(&table[2][$byte]), c), of.lookup(of.repeat(&table[3][$byte]), d));
                    of.xor(low, high)
                }};
            }
            [product!(0), product!(1)]
        }
    }
}
