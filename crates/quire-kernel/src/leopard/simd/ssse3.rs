//! SSSE3: two registers of 16 bytes as one of 32.

use super::Work;
use super::lanes::{Lanes, Lookup};
use std::arch::x86_64::*;

/// Proof that the processor has SSSE3.
#[derive(Clone, Copy)]
pub(in super::super) struct Ssse3(());

impl Ssse3 {
    pub fn detect() -> Option<Self> {
        is_x86_feature_detected!("ssse3").then_some(Self(()))
    }
}

#[target_feature(enable = "ssse3")]
fn with_ssse3<W: Work>(work: W) -> W::Output {
    work.run()
}

type Vector = [__m128i; 2];

impl Lanes for Ssse3 {
    const BYTES: usize = 32;
    const REGISTERS: usize = 8;
    type Vector = Vector;

    fn vectorize<W: Work>(self, work: W) -> W::Output {
        // SAFETY: a value of this type exists only where the instructions do.
        unsafe { with_ssse3(work) }
    }

    #[inline(always)]
    unsafe fn zero(self) -> Vector {
        // SAFETY: SSE2 is always there.
        unsafe { [_mm_setzero_si128(); 2] }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const u8) -> Vector {
        // SAFETY: the caller vouches for 32 bytes.
        unsafe { [_mm_loadu_si128(from.cast()), _mm_loadu_si128(from.add(16).cast())] }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8, vector: Vector) {
        // SAFETY: the caller vouches for 32 bytes.
        unsafe {
            _mm_storeu_si128(to.cast(), vector[0]);
            _mm_storeu_si128(to.add(16).cast(), vector[1]);
        }
    }

    #[inline(always)]
    unsafe fn xor(self, a: Vector, b: Vector) -> Vector {
        // SAFETY: SSE2 is always there.
        unsafe { [_mm_xor_si128(a[0], b[0]), _mm_xor_si128(a[1], b[1])] }
    }
}

impl Lookup for Ssse3 {
    #[inline(always)]
    unsafe fn repeat(self, table: &[u8; 16]) -> Vector {
        // SAFETY: the table has 16 bytes.
        unsafe { [_mm_loadu_si128(table.as_ptr().cast()); 2] }
    }

    #[inline(always)]
    unsafe fn lookup(self, table: Vector, indices: Vector) -> Vector {
        // SAFETY: within `vectorize`.
        unsafe { [_mm_shuffle_epi8(table[0], indices[0]), _mm_shuffle_epi8(table[1], indices[1])] }
    }

    #[inline(always)]
    unsafe fn low_nibbles(self, vector: Vector) -> Vector {
        // SAFETY: SSE2 is always there.
        vector.map(|half| unsafe { _mm_and_si128(half, _mm_set1_epi8(15)) })
    }

    #[inline(always)]
    unsafe fn high_nibbles(self, vector: Vector) -> Vector {
        // SAFETY: SSE2 is always there.
        vector.map(|half| unsafe { _mm_and_si128(_mm_srli_epi64::<4>(half), _mm_set1_epi8(15)) })
    }
}
