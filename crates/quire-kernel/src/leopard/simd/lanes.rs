//! What the processors offer.

use super::Work;

/// Registers, and adding. The rules of [`super::Kernel`] hold.
pub(in super::super) trait Lanes: Copy + Send + Sync {
    const BYTES: usize;
    /// Registers of 32 bytes or more; smaller ones count half.
    const REGISTERS: usize;
    type Vector: Copy;

    fn vectorize<W: Work>(self, work: W) -> W::Output;
    unsafe fn zero(self) -> Self::Vector;
    unsafe fn load(self, from: *const u8) -> Self::Vector;
    unsafe fn store(self, to: *mut u8, vector: Self::Vector);
    unsafe fn xor(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
}

/// Sixteen-entry tables looked up by every byte.
pub(in super::super) trait Lookup: Lanes {
    /// The table for every 16 bytes of a vector.
    unsafe fn repeat(self, table: &[u8; 16]) -> Self::Vector;
    /// Entry of `table` for each byte of `indices`, all below 16.
    unsafe fn lookup(self, table: Self::Vector, indices: Self::Vector) -> Self::Vector;
    unsafe fn low_nibbles(self, vector: Self::Vector) -> Self::Vector;
    unsafe fn high_nibbles(self, vector: Self::Vector) -> Self::Vector;
}
