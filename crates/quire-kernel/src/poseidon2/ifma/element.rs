//! Eight field elements in five registers, and their arithmetic.

use crate::poseidon2::felt::Words;
use crate::poseidon2::field::{Fe, MODULUS, NEGATED_INVERSE, inverse_power_of_two, power_of_two};
use std::arch::x86_64::*;

pub(super) const LIMBS: usize = 5;
pub(super) const MASK: u64 = (1 << 52) - 1;

pub(super) type Limbs = [u64; LIMBS];
pub(super) type V = __m512i;
/// Eight elements.
pub(super) type F = [V; LIMBS];

const MODULUS_LIMBS: Limbs = limbs_of(MODULUS);
/// 2^260 - r.
const COMPLEMENT: Limbs = {
    let mut limbs = [0; LIMBS];
    let (mut i, mut carry) = (0, 1);
    while i < LIMBS {
        let sum = (!MODULUS_LIMBS[i] & MASK) + carry;
        limbs[i] = sum & MASK;
        carry = sum >> 52;
        i += 1;
    }
    limbs
};
/// 2^-208, 2^-156, 2^-104, 2^-52: what limbs 0 to 3 of a product count for at limb 4.
const FOLD: [Limbs; 4] = [
    limbs_of(inverse_power_of_two(208)),
    limbs_of(inverse_power_of_two(156)),
    limbs_of(inverse_power_of_two(104)),
    limbs_of(inverse_power_of_two(52)),
];
/// How many times r goes into a value, from its top limb.
const QUOTIENT: u64 = (1 << 52) / (MODULUS_LIMBS[4] + 1);
pub(super) const fn limbs_of(words: Words) -> Limbs {
    let [a, b, c, d] = words;
    [a & MASK, (a >> 52 | b << 12) & MASK, (b >> 40 | c << 24) & MASK, (c >> 28 | d << 36) & MASK, d >> 16]
}

/// The element times 2^260, below r.
pub(super) const fn in_form(words: Words) -> Limbs {
    limbs_of(Fe::from_words(words).times(Fe::from_words(power_of_two(260))).to_words())
}

/// Normalised fifth powers of carried elements.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn fifth_powers<const W: usize>(x: &[F; W]) -> [F; W] {
    let square = squares(x);
    let fifth = product(x, &squares(&square));
    std::array::from_fn(|w| masked(&fifth[w]))
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn product<const W: usize>(a: &[F; W], b: &[F; W]) -> [F; W] {
    std::array::from_fn(|w| product_of(&a[w], &b[w]))
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn squares<const W: usize>(a: &[F; W]) -> [F; W] {
    std::array::from_fn(|w| square_of(&a[w]))
}

/// Lower and upper halves of limb products: place i of `low` and place i - 1 of `high` count alike.
struct Wide {
    low: [V; 2 * LIMBS - 1],
    high: [V; 2 * LIMBS - 1],
}

impl Wide {
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn zero() -> Self {
        let zero = _mm512_setzero_si512();
        Self { low: [zero; 2 * LIMBS - 1], high: [zero; 2 * LIMBS - 1] }
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn add(&mut self, place: usize, a: V, b: V) {
        self.low[place] = _mm512_madd52lo_epu64(self.low[place], a, b);
        self.high[place] = _mm512_madd52hi_epu64(self.high[place], a, b);
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn at(&self, place: usize) -> V {
        _mm512_add_epi64(self.low[place], self.high[place - 1])
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn product_of(a: &F, b: &F) -> F {
    let mut wide = Wide::zero();
    for place in 0..2 * LIMBS - 1 {
        for i in place.saturating_sub(LIMBS - 1)..LIMBS.min(place + 1) {
            wide.add(place, a[i], b[place - i]);
        }
    }
    montgomery(wide)
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn square_of(a: &F) -> F {
    let mut wide = Wide::zero();
    for (i, limb) in a.iter().enumerate() {
        for (j, other) in a.iter().enumerate().skip(i + 1) {
            wide.add(i + j, *limb, *other);
        }
    }
    for place in 1..2 * LIMBS - 2 {
        wide.low[place] = _mm512_add_epi64(wide.low[place], wide.low[place]);
        wide.high[place] = _mm512_add_epi64(wide.high[place], wide.high[place]);
    }
    for (i, limb) in a.iter().enumerate() {
        wide.add(2 * i, *limb, *limb);
    }
    montgomery(wide)
}

/// A product divided by 2^260 modulo r: carried, below the product / 2^260 + 2.24 r.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn montgomery(mut wide: Wide) -> F {
    let mut above = wide.low[0];
    for (i, fold) in FOLD.iter().enumerate() {
        if i > 0 {
            above = _mm512_add_epi64(wide.at(i), _mm512_srli_epi64::<52>(above));
        }
        for (j, limb) in fold.iter().enumerate() {
            wide.add(LIMBS - 1 + j, above, _mm512_set1_epi64(*limb as i64));
        }
    }
    above = _mm512_add_epi64(wide.at(4), _mm512_srli_epi64::<52>(above));
    let inverse = _mm512_set1_epi64((NEGATED_INVERSE & MASK) as i64);
    let factor = _mm512_madd52lo_epu64(_mm512_setzero_si512(), above, inverse);
    wide.low[4] = above;
    for (j, limb) in MODULUS_LIMBS.iter().enumerate() {
        wide.add(LIMBS - 1 + j, factor, _mm512_set1_epi64(*limb as i64));
    }
    let first = _mm512_add_epi64(wide.at(5), _mm512_srli_epi64::<52>(wide.low[4]));
    carried(&[first, wide.at(6), wide.at(7), wide.at(8), wide.high[8]])
}

/// Below 2.2 r, normalised, from a value below 84 r.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn reduced(a: &F) -> F {
    let mut a = carried(a);
    let quotient = _mm512_set1_epi64(QUOTIENT as i64);
    let times = _mm512_madd52hi_epu64(_mm512_setzero_si512(), a[4], quotient);
    a = masked(&a);
    for (i, limb) in COMPLEMENT.iter().enumerate() {
        let limb = _mm512_set1_epi64(*limb as i64);
        a[i] = _mm512_madd52lo_epu64(a[i], times, limb);
        if i + 1 < LIMBS {
            a[i + 1] = _mm512_madd52hi_epu64(a[i + 1], times, limb);
        }
    }
    let a = masked(&carried(&a));
    [a[0], a[1], a[2], a[3], _mm512_and_si512(a[4], _mm512_set1_epi64(MASK as i64))]
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn sum(a: &F, b: &F) -> F {
    std::array::from_fn(|i| _mm512_add_epi64(a[i], b[i]))
}

/// What is above 52 bits added to the next limb, and left where it is: multiplication looks at the
/// lower 52 bits only.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn carried(a: &F) -> F {
    let mut a = *a;
    for i in 0..LIMBS - 1 {
        a[i + 1] = _mm512_add_epi64(a[i + 1], _mm512_srli_epi64::<52>(a[i]));
    }
    a
}

/// A carried element without what is above 52 bits.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn masked(a: &F) -> F {
    let mask = _mm512_set1_epi64(MASK as i64);
    let [b, c, d, e, f] = *a;
    [_mm512_and_si512(b, mask), _mm512_and_si512(c, mask), _mm512_and_si512(d, mask), _mm512_and_si512(e, mask), f]
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn all_lanes(limbs: &Limbs) -> F {
    std::array::from_fn(|i| _mm512_set1_epi64(limbs[i] as i64))
}
