//! AVX2, alone and with GFNI: 32 bytes a register.

use super::Work;
use super::affine::Affine;
use super::lanes::{Lanes, Lookup};
use std::arch::x86_64::*;

/// Proof that the processor has AVX2.
#[derive(Clone, Copy)]
pub(in super::super) struct Avx2(());

/// Proof that the processor has AVX2 and GFNI.
#[derive(Clone, Copy)]
pub(in super::super) struct Avx2Gfni(());

impl Avx2 {
    pub fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

impl Avx2Gfni {
    pub fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("gfni")).then_some(Self(()))
    }
}

#[target_feature(enable = "avx2")]
fn with_avx2<W: Work>(work: W) -> W::Output {
    work.run()
}

#[target_feature(enable = "avx2,gfni")]
fn with_avx2_and_gfni<W: Work>(work: W) -> W::Output {
    work.run()
}

macro_rules! lanes {
    ($lanes:ty, $with:ident) => {
        impl Lanes for $lanes {
            const BYTES: usize = 32;
            const REGISTERS: usize = 16;
            type Vector = __m256i;

            fn vectorize<W: Work>(self, work: W) -> W::Output {
                // SAFETY: a value of this type exists only where the instructions do.
                unsafe { $with(work) }
            }

            #[inline(always)]
            unsafe fn zero(self) -> __m256i {
                // SAFETY: within `vectorize`.
                unsafe { _mm256_setzero_si256() }
            }

            #[inline(always)]
            unsafe fn load(self, from: *const u8) -> __m256i {
                // SAFETY: within `vectorize`; the caller vouches for 32 bytes.
                unsafe { _mm256_loadu_si256(from.cast()) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut u8, vector: __m256i) {
                // SAFETY: within `vectorize`; the caller vouches for 32 bytes.
                unsafe { _mm256_storeu_si256(to.cast(), vector) }
            }

            #[inline(always)]
            unsafe fn xor(self, a: __m256i, b: __m256i) -> __m256i {
                // SAFETY: within `vectorize`.
                unsafe { _mm256_xor_si256(a, b) }
            }
        }
    };
}

lanes!(Avx2, with_avx2);
lanes!(Avx2Gfni, with_avx2_and_gfni);

impl Lookup for Avx2 {
    #[inline(always)]
    unsafe fn repeat(self, table: &[u8; 16]) -> __m256i {
        // SAFETY: within `vectorize`; the table has 16 bytes.
        unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast())) }
    }

    #[inline(always)]
    unsafe fn lookup(self, table: __m256i, indices: __m256i) -> __m256i {
        // SAFETY: within `vectorize`.
        unsafe { _mm256_shuffle_epi8(table, indices) }
    }

    #[inline(always)]
    unsafe fn low_nibbles(self, vector: __m256i) -> __m256i {
        // SAFETY: within `vectorize`.
        unsafe { _mm256_and_si256(vector, _mm256_set1_epi8(15)) }
    }

    #[inline(always)]
    unsafe fn high_nibbles(self, vector: __m256i) -> __m256i {
        // SAFETY: within `vectorize`.
        unsafe { _mm256_and_si256(_mm256_srli_epi64::<4>(vector), _mm256_set1_epi8(15)) }
    }
}

impl Affine for Avx2Gfni {
    #[inline(always)]
    unsafe fn affine(self, vector: __m256i, matrix: u64) -> __m256i {
        // SAFETY: within `vectorize`.
        unsafe { _mm256_gf2p8affine_epi64_epi8::<0>(vector, _mm256_set1_epi64x(matrix as i64)) }
    }
}
