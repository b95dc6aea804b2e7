//! Eight elements of a field at once, one in each lane of AVX-512, multiplied by IFMA.
//!
//! An element is five limbs of 52 bits. Products are Montgomery products with R = 2^260 and are not
//! reduced below the order p: for operands below 64p (2^260 is 84p) a product is below
//! ab/2^260 + p. Sums and differences stay lazy; [`reduced`] ends a computation.

#![allow(clippy::needless_range_loop, reason = "limbs have numbers in the formulas")]

use core::arch::x86_64::*;

use ark_bn254::{Fq, Fr};
use ark_ff::PrimeField;

pub const LANES: usize = 8;
const LIMB_BITS: u32 = 52;
const MASK: u64 = (1 << LIMB_BITS) - 1;
/// Bits of the quotient estimate of [`reduced`] below the point.
const QUOTIENT_BITS: u32 = 40;

/// Eight elements: limb i of all of them in vector i.
pub type Lanes = [__m512i; 5];

/// Numbers that belong to an order.
pub struct Constants {
    limbs: [u64; 5],
    /// -1/p modulo 2^52.
    inverse: u64,
    /// 2^260 - p.
    complement: [u64; 5],
    /// About 2^300 / p, rounded down.
    quotient: u64,
    /// 16p, with limbs from which limbs of 53 bits can be taken.
    lifted: [u64; 5],
    /// 2p, with limbs from which limbs of 52 bits can be taken.
    twice: [u64; 5],
}

pub trait Order {
    const C: Constants;
}

/// The order of the field of coordinates.
pub struct Base;
/// The order of the field of scalars.
pub struct Scalars;

impl Order for Base {
    const C: Constants = Constants::of(Fq::MODULUS.0);
}

impl Order for Scalars {
    const C: Constants = Constants::of(Fr::MODULUS.0);
}

impl Constants {
    const fn of(p: [u64; 4]) -> Self {
        let limbs = split(p);
        let mut inverse: u64 = 1;
        let mut step = 0;
        // Newton's iteration doubles the bits that are right.
        while step < 6 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(p[0].wrapping_mul(inverse)));
            step += 1;
        }
        let mut complement = [0; 5];
        let mut borrow = 0;
        let mut i = 0;
        while i < 5 {
            let value = (1u64 << LIMB_BITS) - limbs[i] - borrow;
            borrow = if value >> LIMB_BITS == 0 { 1 } else { 0 };
            complement[i] = value & MASK;
            i += 1;
        }
        // The last borrow comes out of 2^260.
        let quotient = ((1u128 << (LIMB_BITS + QUOTIENT_BITS)) / (limbs[4] as u128 + 1)) as u64;
        let inverse = inverse.wrapping_neg() & MASK;
        Constants {
            limbs,
            inverse,
            complement,
            quotient,
            lifted: lifted_multiple(limbs, 16, 4),
            twice: lifted_multiple(limbs, 2, 1),
        }
    }
}

/// A multiple of p whose lower limbs have `borrowed` times 2^52 from the limb above.
const fn lifted_multiple(limbs: [u64; 5], factor: u64, borrowed: u64) -> [u64; 5] {
    let mut out = [0; 5];
    let mut carry = 0;
    let mut i = 0;
    while i < 5 {
        let value = limbs[i] * factor + carry;
        carry = value >> LIMB_BITS;
        out[i] = match i {
            0 => (value & MASK) + (borrowed << LIMB_BITS),
            4 => value - borrowed,
            _ => (value & MASK) + (borrowed << LIMB_BITS) - borrowed,
        };
        i += 1;
    }
    out
}

const fn split(a: [u64; 4]) -> [u64; 5] {
    [
        a[0] & MASK,
        (a[0] >> 52 | a[1] << 12) & MASK,
        (a[1] >> 40 | a[2] << 24) & MASK,
        (a[2] >> 28 | a[3] << 36) & MASK,
        a[3] >> 16,
    ]
}

pub fn available() -> bool {
    std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512ifma")
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn set(value: u64) -> __m512i {
    _mm512_set1_epi64(value as i64)
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub fn broadcast(words: &[u64; 4]) -> Lanes {
    let [a, b, c, d, e] = split(*words);
    [set(a), set(b), set(c), set(d), set(e)]
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub fn order<P: Order>() -> Lanes {
    let [a, b, c, d, e] = P::C.limbs;
    [set(a), set(b), set(c), set(d), set(e)]
}

/// Carries between limbs; all limbs must not be negative.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub fn carried(mut a: Lanes) -> Lanes {
    let mask = set(MASK);
    for i in 0..4 {
        a[i + 1] = _mm512_add_epi64(a[i + 1], _mm512_srli_epi64::<52>(a[i]));
        a[i] = _mm512_and_si512(a[i], mask);
    }
    a
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub fn plus(a: Lanes, b: Lanes) -> Lanes {
    let mut out = a;
    for i in 0..5 {
        out[i] = _mm512_add_epi64(a[i], b[i]);
    }
    out
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub fn minus(a: Lanes, b: Lanes) -> Lanes {
    let mut out = a;
    for i in 0..5 {
        out[i] = _mm512_sub_epi64(a[i], b[i]);
    }
    out
}

/// Limb by limb a + 16p, without carries; makes limbs above -2^54 positive.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub fn lifted<P: Order>(a: Lanes) -> Lanes {
    let mut out = a;
    for i in 0..5 {
        out[i] = _mm512_add_epi64(a[i], set(P::C.lifted[i]));
    }
    out
}

/// a - b + 16p with carries.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub fn difference<P: Order>(a: Lanes, b: Lanes) -> Lanes {
    carried(lifted::<P>(minus(a, b)))
}

/// a - b + 2p with carries, for b below 2p.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub fn near_difference<P: Order>(a: Lanes, b: Lanes) -> Lanes {
    let mut out = minus(a, b);
    for i in 0..5 {
        out[i] = _mm512_add_epi64(out[i], set(P::C.twice[i]));
    }
    carried(out)
}

/// 32p - a with carries.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub fn opposite<P: Order>(a: Lanes) -> Lanes {
    carried(lifted::<P>(lifted::<P>(minus([_mm512_setzero_si512(); 5], a))))
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn accumulate(columns: &mut [__m512i; 10], a: &Lanes, b: &Lanes) {
    for i in 0..5 {
        for j in 0..5 {
            columns[i + j] = _mm512_madd52lo_epu64(columns[i + j], a[i], b[j]);
            columns[i + j + 1] = _mm512_madd52hi_epu64(columns[i + j + 1], a[i], b[j]);
        }
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn montgomery<P: Order>(mut columns: [__m512i; 10]) -> Lanes {
    let zero = _mm512_setzero_si512();
    for i in 0..5 {
        let factor = _mm512_madd52lo_epu64(zero, columns[i], set(P::C.inverse));
        for j in 0..5 {
            let limb = set(P::C.limbs[j]);
            columns[i + j] = _mm512_madd52lo_epu64(columns[i + j], factor, limb);
            columns[i + j + 1] = _mm512_madd52hi_epu64(columns[i + j + 1], factor, limb);
        }
        columns[i + 1] = _mm512_add_epi64(columns[i + 1], _mm512_srli_epi64::<52>(columns[i]));
    }
    carried([columns[5], columns[6], columns[7], columns[8], columns[9]])
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub fn product<P: Order>(a: &Lanes, b: &Lanes) -> Lanes {
    let mut columns = [_mm512_setzero_si512(); 10];
    accumulate(&mut columns, a, b);
    montgomery::<P>(columns)
}

/// ab + cd with one reduction.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub fn products<P: Order>(a: &Lanes, b: &Lanes, c: &Lanes, d: &Lanes) -> Lanes {
    let mut columns = [_mm512_setzero_si512(); 10];
    accumulate(&mut columns, a, b);
    accumulate(&mut columns, c, d);
    montgomery::<P>(columns)
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub fn square<P: Order>(a: &Lanes) -> Lanes {
    let mut columns = [_mm512_setzero_si512(); 10];
    for i in 0..5 {
        for j in i + 1..5 {
            columns[i + j] = _mm512_madd52lo_epu64(columns[i + j], a[i], a[j]);
            columns[i + j + 1] = _mm512_madd52hi_epu64(columns[i + j + 1], a[i], a[j]);
        }
    }
    for column in &mut columns[1..9] {
        *column = _mm512_add_epi64(*column, *column);
    }
    for i in 0..5 {
        columns[2 * i] = _mm512_madd52lo_epu64(columns[2 * i], a[i], a[i]);
        columns[2 * i + 1] = _mm512_madd52hi_epu64(columns[2 * i + 1], a[i], a[i]);
    }
    montgomery::<P>(columns)
}

/// The canonical form of values below 64p with carries done.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub fn reduced<P: Order>(a: Lanes) -> Lanes {
    let estimate = _mm512_madd52hi_epu64(_mm512_setzero_si512(), a[4], set(P::C.quotient));
    let quotient = _mm512_srli_epi64::<QUOTIENT_BITS>(estimate);
    let mut out = a;
    for i in 0..5 {
        let limb = set(P::C.complement[i]);
        out[i] = _mm512_madd52lo_epu64(out[i], quotient, limb);
        if i < 4 {
            out[i + 1] = _mm512_madd52hi_epu64(out[i + 1], quotient, limb);
        }
    }
    out = carried(out);
    out[4] = _mm512_and_si512(out[4], set(MASK));
    // The estimate is one too small only just below a multiple of p: once in 2^40 values.
    if _mm512_cmpge_epu64_mask(out[4], set(P::C.limbs[4])) != 0 {
        out = without_order::<P>(out);
    }
    out
}

/// Less p where that is not negative.
#[target_feature(enable = "avx512f,avx512ifma")]
#[cold]
fn without_order<P: Order>(a: Lanes) -> Lanes {
    let mut less = minus(a, order::<P>());
    let mask = set(MASK);
    for i in 0..4 {
        less[i + 1] = _mm512_add_epi64(less[i + 1], _mm512_srai_epi64::<52>(less[i]));
        less[i] = _mm512_and_si512(less[i], mask);
    }
    let negative = _mm512_cmplt_epi64_mask(less[4], _mm512_setzero_si512());
    let mut out = a;
    for i in 0..5 {
        out[i] = _mm512_mask_blend_epi64(negative, less[i], a[i]);
    }
    out
}

/// Four words of 64 bits as five limbs.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub fn unpacked(a: &[__m512i; 4]) -> Lanes {
    let mask = set(MASK);
    let b = _mm512_or_si512(_mm512_srli_epi64::<52>(a[0]), _mm512_slli_epi64::<12>(a[1]));
    let c = _mm512_or_si512(_mm512_srli_epi64::<40>(a[1]), _mm512_slli_epi64::<24>(a[2]));
    let d = _mm512_or_si512(_mm512_srli_epi64::<28>(a[2]), _mm512_slli_epi64::<36>(a[3]));
    [
        _mm512_and_si512(a[0], mask),
        _mm512_and_si512(b, mask),
        _mm512_and_si512(c, mask),
        _mm512_and_si512(d, mask),
        _mm512_srli_epi64::<16>(a[3]),
    ]
}

/// Five limbs of a value below 2^256 as four words.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub fn packed(a: &Lanes) -> [__m512i; 4] {
    [
        _mm512_or_si512(a[0], _mm512_slli_epi64::<52>(a[1])),
        _mm512_or_si512(_mm512_srli_epi64::<12>(a[1]), _mm512_slli_epi64::<40>(a[2])),
        _mm512_or_si512(_mm512_srli_epi64::<24>(a[2]), _mm512_slli_epi64::<28>(a[3])),
        _mm512_or_si512(_mm512_srli_epi64::<36>(a[3]), _mm512_slli_epi64::<16>(a[4])),
    ]
}

/// Rows to columns of an 8 by 8 square of words, and back.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub fn transposed(r: &[__m512i; 8]) -> [__m512i; 8] {
    let mut out = *r;
    for odd in 0..2 {
        let pair = |i: usize| match odd {
            0 => _mm512_unpacklo_epi64(r[2 * i], r[2 * i + 1]),
            _ => _mm512_unpackhi_epi64(r[2 * i], r[2 * i + 1]),
        };
        let [a, b, c, d] = [pair(0), pair(1), pair(2), pair(3)];
        let [ab_even, ab_odd] = [_mm512_shuffle_i64x2::<0x88>(a, b), _mm512_shuffle_i64x2::<0xdd>(a, b)];
        let [cd_even, cd_odd] = [_mm512_shuffle_i64x2::<0x88>(c, d), _mm512_shuffle_i64x2::<0xdd>(c, d)];
        out[odd] = _mm512_shuffle_i64x2::<0x88>(ab_even, cd_even);
        out[2 + odd] = _mm512_shuffle_i64x2::<0x88>(ab_odd, cd_odd);
        out[4 + odd] = _mm512_shuffle_i64x2::<0xdd>(ab_even, cd_even);
        out[6 + odd] = _mm512_shuffle_i64x2::<0xdd>(ab_odd, cd_odd);
    }
    out
}

/// The value of each lane, below 2^256.
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn to_words(a: &Lanes) -> [[u64; 4]; LANES] {
    let columns = packed(a).map(|column| {
        let mut words = [0u64; LANES];
        // SAFETY: eight words are as long as one vector.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), column) };
        words
    });
    std::array::from_fn(|lane| std::array::from_fn(|word| columns[word][lane]))
}

/// The lanes of so many values below 2^256.
#[target_feature(enable = "avx512f,avx512ifma")]
pub fn from_words(words: &[[u64; 4]; LANES]) -> Lanes {
    let columns: [[u64; LANES]; 4] = std::array::from_fn(|word| std::array::from_fn(|lane| words[lane][word]));
    // SAFETY: eight words are as long as one vector.
    unpacked(&columns.map(|column| unsafe { _mm512_loadu_si512(column.as_ptr().cast()) }))
}

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
