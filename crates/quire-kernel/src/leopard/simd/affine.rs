//! Products by matrices of bits: multiplication by a constant is linear, in the Cantor basis too.

use super::lanes::Lanes;
use super::matrices::{Matrices16, matrices_16, matrix_8};
use super::{CHUNK, Kernel, Work};

/// Every byte times an 8 by 8 matrix of bits.
pub(in super::super) trait Affine: Lanes {
    /// Whether three vectors are added in one instruction.
    const TERNARY: bool = false;

    unsafe fn affine(self, vector: Self::Vector, matrix: u64) -> Self::Vector;
}

/// GF(2^8), one symbol a byte.
#[derive(Clone, Copy)]
pub(in super::super) struct Affine8<L>(pub L);

/// GF(2^16) where a register holds half a chunk: 32 low bytes or 32 high bytes.
#[derive(Clone, Copy)]
pub(in super::super) struct Affine16<L>(pub L);

impl<L: Affine> Kernel for Affine8<L> {
    const BYTES: usize = L::BYTES;
    const OUTPUTS: usize = if L::REGISTERS > 16 { 12 } else { 6 };
    const VECTORS: usize = 2;
    const RADIX_LOG: u32 = if L::REGISTERS > 16 { 3 } else { 2 };
    const TERNARY: bool = L::TERNARY;
    type Vector = L::Vector;
    type Operand = L::Vector;
    type Table = u64;

    fn table(self, factor: u16) -> u64 {
        matrix_8(factor)
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
    unsafe fn operand(self, vector: L::Vector) -> L::Vector {
        vector
    }

    #[inline(always)]
    unsafe fn mul(self, operand: L::Vector, table: &u64) -> L::Vector {
        // SAFETY: as promised to us.
        unsafe { self.0.affine(operand, *table) }
    }
}

impl<L: Affine> Kernel for Affine16<L> {
    const BYTES: usize = {
        assert!(L::BYTES * 2 == CHUNK);
        CHUNK
    };
    const OUTPUTS: usize = 5;
    const VECTORS: usize = 1;
    const RADIX_LOG: u32 = 2;
    /// Low and high bytes.
    type Vector = [L::Vector; 2];
    type Operand = [L::Vector; 2];
    type Table = Matrices16;

    fn table(self, factor: u16) -> Matrices16 {
        matrices_16(factor)
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
    unsafe fn operand(self, vector: [L::Vector; 2]) -> [L::Vector; 2] {
        vector
    }

    #[inline(always)]
    unsafe fn mul(self, [low, high]: [L::Vector; 2], table: &Matrices16) -> [L::Vector; 2] {
        let [low_low, high_high, high_low, low_high] = *table;
        // SAFETY: as promised to us.
        unsafe {
            [
                self.0.xor(self.0.affine(low, low_low), self.0.affine(high, high_low)),
                self.0.xor(self.0.affine(high, high_high), self.0.affine(low, low_high)),
            ]
        }
    }
}
