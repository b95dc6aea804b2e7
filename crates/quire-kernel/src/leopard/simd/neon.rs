//! NEON: two registers of 16 bytes as one of 32.

use super::Work;
use super::lanes::{Lanes, Lookup};
use std::arch::aarch64::*;

/// Proof that the processor has NEON, as all of this architecture do.
#[derive(Clone, Copy)]
pub(in super::super) struct Neon(());

impl Neon {
    pub fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

#[target_feature(enable = "neon")]
fn with_neon<W: Work>(work: W) -> W::Output {
    work.run()
}

type Vector = [uint8x16_t; 2];

impl Lanes for Neon {
    const BYTES: usize = 32;
    const REGISTERS: usize = 16;
    type Vector = Vector;

    fn vectorize<W: Work>(self, work: W) -> W::Output {
        // SAFETY: a value of this type exists only where the instructions do.
        unsafe { with_neon(work) }
    }

    #[inline(always)]
    unsafe fn zero(self) -> Vector {
        // SAFETY: within `vectorize`.
        unsafe { [vdupq_n_u8(0); 2] }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const u8) -> Vector {
        // SAFETY: within `vectorize`; the caller vouches for 32 bytes.
        unsafe { [vld1q_u8(from), vld1q_u8(from.add(16))] }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8, vector: Vector) {
        // SAFETY: within `vectorize`; the caller vouches for 32 bytes.
        unsafe {
            vst1q_u8(to, vector[0]);
            vst1q_u8(to.add(16), vector[1]);
        }
    }

    #[inline(always)]
    unsafe fn xor(self, a: Vector, b: Vector) -> Vector {
        // SAFETY: within `vectorize`.
        unsafe { [veorq_u8(a[0], b[0]), veorq_u8(a[1], b[1])] }
    }
}

impl Lookup for Neon {
    #[inline(always)]
    unsafe fn repeat(self, table: &[u8; 16]) -> Vector {
        // SAFETY: within `vectorize`; the table has 16 bytes.
        unsafe { [vld1q_u8(table.as_ptr()); 2] }
    }

    #[inline(always)]
    unsafe fn lookup(self, table: Vector, indices: Vector) -> Vector {
        // SAFETY: within `vectorize`.
        unsafe { [vqtbl1q_u8(table[0], indices[0]), vqtbl1q_u8(table[1], indices[1])] }
    }

    #[inline(always)]
    unsafe fn low_nibbles(self, vector: Vector) -> Vector {
        // SAFETY: within `vectorize`.
        unsafe { [vandq_u8(vector[0], vdupq_n_u8(15)), vandq_u8(vector[1], vdupq_n_u8(15))] }
    }

    #[inline(always)]
    unsafe fn high_nibbles(self, vector: Vector) -> Vector {
        // SAFETY: within `vectorize`.
        unsafe { [vshrq_n_u8::<4>(vector[0]), vshrq_n_u8::<4>(vector[1])] }
    }
}
