//! The arithmetic of whole rows, written once over what a [`Kernel`] offers.
//!
//! `lanes` name the instructions, `affine` and `shuffle` make kernels of them, `combine` is
//! the matrix, `transform_encode` and `transform_decode` are the transforms. Everything unsafe of the erasure code is here: loads and
//! stores past bounds checks, and instructions that a processor may not have.

pub(super) mod combine;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod lanes;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod nibbles;
mod places;
mod portable;
mod scratch;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod shuffle;
mod transform;
pub(super) mod transform_decode;
pub(super) mod transform_encode;

#[cfg(target_arch = "x86_64")]
mod affine;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod matrices;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod ssse3;

#[cfg(target_arch = "aarch64")]
pub(super) use neon::Neon;
pub(super) use portable::{Portable8, Portable16};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) use shuffle::{Shuffle8, Shuffle16};
#[cfg(target_arch = "x86_64")]
pub(super) use {
    affine::{Affine8, Affine16},
    avx2::{Avx2, Avx2Gfni},
    avx512::{Avx512Gfni, Avx512Gfni16},
    ssse3::Ssse3,
};

/// Rows are cut into chunks of this many bytes; a 16-bit symbol lies within one.
const CHUNK: usize = super::code::CHUNK_BYTES;

/// One way to add and multiply many symbols at once, in one of the two fields.
///
/// A *vector* holds `BYTES` bytes of a row, possibly in an order of its own. A value of the type is
/// the proof that the processor has the instructions.
///
/// # Safety
/// Everything but `table` and `vectorize` is for code that runs within `vectorize`, where the compiler
/// may use the instructions; pointers can be read or written for `BYTES` bytes.
pub(super) trait Kernel: Copy + Send + Sync {
    /// Bytes of a vector; divides 64.
    const BYTES: usize;
    /// Outputs that one pass over the inputs can sum up in registers, with `VECTORS` vectors of each.
    const OUTPUTS: usize;
    const VECTORS: usize;
    /// Vectors, as a power of two, on which several layers of a transform are done in registers.
    const RADIX_LOG: u32;
    /// Whether three vectors are added in one instruction, so that inputs should come in pairs.
    const TERNARY: bool = false;

    type Vector: Copy;
    /// A vector made ready to be multiplied.
    type Operand: Copy;
    /// A factor as it lies in memory.
    type Table: Copy + Send + Sync;

    fn table(self, factor: u16) -> Self::Table;

    /// Run `work` where the compiler may use the instructions.
    fn vectorize<W: Work>(self, work: W) -> W::Output;

    unsafe fn zero(self) -> Self::Vector;

    /// From a row.
    unsafe fn load(self, from: *const u8) -> Self::Vector;

    /// To a row.
    unsafe fn store(self, to: *mut u8, vector: Self::Vector);

    /// From memory that only `put` has written.
    #[inline(always)]
    unsafe fn get(self, from: *const u8) -> Self::Vector {
        // SAFETY: as promised to us.
        unsafe { self.load(from) }
    }

    #[inline(always)]
    unsafe fn put(self, to: *mut u8, vector: Self::Vector) {
        // SAFETY: as promised to us.
        unsafe { self.store(to, vector) }
    }

    unsafe fn xor(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    unsafe fn operand(self, vector: Self::Vector) -> Self::Operand;

    unsafe fn mul(self, operand: Self::Operand, table: &Self::Table) -> Self::Vector;
}

/// What [`Kernel::vectorize`] runs; `run` and all it calls must be `#[inline(always)]`.
pub(super) trait Work {
    type Output;
    fn run(self) -> Self::Output;
}
