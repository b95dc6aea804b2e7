//! The arithmetic of whole rows, written once over what a [`Kernel`] offers.

pub(super) mod combine;
mod portable;

pub(super) use portable::{Portable8, Portable16};

/// One way to add and multiply many symbols at once, in one of the two fields.
///
/// A *vector* is `BYTES` bytes of a row. A value of the type is the proof that the processor has the
/// instructions; everything but `vectorize` must be called from within it, so that the compiler may
/// use them.
pub(super) trait Kernel: Copy + Send + Sync {
    /// Bytes of a vector; divides 64.
    const BYTES: usize;
    /// Sums that fit into registers beside what is needed to make them.
    const SUMS: usize;
    type Vector: Copy;
    /// A vector made ready to be multiplied.
    type Operand: Copy;
    /// A factor as it lies in memory.
    type Table: Copy + Send + Sync;

    fn table(self, factor: u16) -> Self::Table;

    /// Run `work` where the compiler may use the instructions.
    fn vectorize<W: Work>(self, work: W) -> W::Output;

    /// # Safety
    /// Within `vectorize`.
    unsafe fn zero(self) -> Self::Vector;
    /// # Safety
    /// Within `vectorize`; `from` can be read for `BYTES` bytes.
    unsafe fn load(self, from: *const u8) -> Self::Vector;
    /// # Safety
    /// Within `vectorize`; `to` can be written for `BYTES` bytes.
    unsafe fn store(self, to: *mut u8, vector: Self::Vector);
    /// # Safety
    /// Within `vectorize`.
    unsafe fn xor(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// # Safety
    /// Within `vectorize`.
    unsafe fn operand(self, vector: Self::Vector) -> Self::Operand;
    /// # Safety
    /// Within `vectorize`.
    unsafe fn mul(self, operand: Self::Operand, table: &Self::Table) -> Self::Vector;
}

/// What [`Kernel::vectorize`] runs; `run` must be `#[inline(always)]`.
pub(super) trait Work {
    type Output;
    fn run(self) -> Self::Output;
}
