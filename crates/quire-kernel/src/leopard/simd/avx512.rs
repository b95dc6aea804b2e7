//! AVX-512 with GFNI: 64 bytes a register.

use super::affine::Affine;
use super::lanes::Lanes;
use super::matrices::{Matrices16, matrices_16};
use super::{Kernel, Work};
use std::arch::x86_64::*;

/// Proof that the processor has AVX-512 F and BW, and GFNI.
#[derive(Clone, Copy)]
pub(in super::super) struct Avx512Gfni(());

/// GF(2^16). In a vector, eight low bytes and their eight high bytes stand side by side, so that
/// one load of two matrices serves both, and the halves are exchanged within 16 bytes.
#[derive(Clone, Copy)]
pub(in super::super) struct Avx512Gfni16(pub Avx512Gfni);

impl Avx512Gfni {
    pub fn detect() -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("gfni");
        has_all.then_some(Self(()))
    }
}

#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn with_avx512<W: Work>(work: W) -> W::Output {
    work.run()
}

impl Lanes for Avx512Gfni {
    const BYTES: usize = 64;
    const REGISTERS: usize = 32;
    type Vector = __m512i;

    fn vectorize<W: Work>(self, work: W) -> W::Output {
        // SAFETY: a value of this type exists only where the instructions do.
        unsafe { with_avx512(work) }
    }

    #[inline(always)]
    unsafe fn zero(self) -> __m512i {
        // SAFETY: within `vectorize`.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const u8) -> __m512i {
        // SAFETY: within `vectorize`; the caller vouches for 64 bytes.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8, vector: __m512i) {
        // SAFETY: within `vectorize`; the caller vouches for 64 bytes.
        unsafe { _mm512_storeu_si512(to.cast(), vector) }
    }

    #[inline(always)]
    unsafe fn xor(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: within `vectorize`.
        unsafe { _mm512_xor_si512(a, b) }
    }
}

impl Affine for Avx512Gfni {
    const TERNARY: bool = true;

    #[inline(always)]
    unsafe fn affine(self, vector: __m512i, matrix: u64) -> __m512i {
        // SAFETY: within `vectorize`.
        unsafe { _mm512_gf2p8affine_epi64_epi8::<0>(vector, _mm512_set1_epi64(matrix as i64)) }
    }
}

impl Kernel for Avx512Gfni16 {
    const BYTES: usize = 64;
    const OUTPUTS: usize = 8;
    const VECTORS: usize = 2;
    const RADIX_LOG: u32 = 3;
    const TERNARY: bool = true;
    type Vector = __m512i;
    /// As it is, and with low and high bytes exchanged.
    type Operand = [__m512i; 2];
    type Table = Matrices16;

    fn table(self, factor: u16) -> Matrices16 {
        matrices_16(factor)
    }

    fn vectorize<W: Work>(self, work: W) -> W::Output {
        self.0.vectorize(work)
    }

    #[inline(always)]
    unsafe fn zero(self) -> __m512i {
        // SAFETY: as promised to us.
        unsafe { self.0.zero() }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const u8) -> __m512i {
        // SAFETY: as promised to us.
        unsafe { _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7), self.0.load(from)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8, vector: __m512i) {
        // SAFETY: as promised to us.
        unsafe { self.0.store(to, _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), vector)) }
    }

    #[inline(always)]
    unsafe fn get(self, from: *const u8) -> __m512i {
        // SAFETY: as promised to us.
        unsafe { self.0.load(from) }
    }

    #[inline(always)]
    unsafe fn put(self, to: *mut u8, vector: __m512i) {
        // SAFETY: as promised to us.
        unsafe { self.0.store(to, vector) }
    }

    #[inline(always)]
    unsafe fn xor(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: as promised to us.
        unsafe { self.0.xor(a, b) }
    }

    #[inline(always)]
    unsafe fn operand(self, vector: __m512i) -> [__m512i; 2] {
        // SAFETY: within `vectorize`.
        unsafe { [vector, _mm512_shuffle_epi32::<0x4E>(vector)] }
    }

    #[inline(always)]
    unsafe fn mul(self, [vector, exchanged]: [__m512i; 2], table: &Matrices16) -> __m512i {
        // SAFETY: within `vectorize`; both pairs of matrices are within the table.
        unsafe {
            let pair = |at: usize| _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().add(at).cast()));
            let own = _mm512_gf2p8affine_epi64_epi8::<0>(vector, pair(0));
            _mm512_xor_si512(own, _mm512_gf2p8affine_epi64_epi8::<0>(exchanged, pair(2)))
        }
    }
}
