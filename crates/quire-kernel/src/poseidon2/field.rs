//! The scalar field of BN254 in four 64-bit words, Montgomery form with R = 2^256.
//!
//! Reduction is lazy. r is 0.189 of 2^256, so four words hold up to 5.29 r; comments give the bounds
//! of values as multiples of r.

/// r = 21888242871839275222246405745257275088548364400416034343698204186575808495617.
pub(super) const MODULUS: [u64; 4] =
    [0x43e1_f593_f000_0001, 0x2833_e848_79b9_7091, 0xb850_45b6_8181_585d, 0x3064_4e72_e131_a029];

/// -1/r modulo 2^64.
pub(super) const NEGATED_INVERSE: u64 = {
    let mut inverse: u64 = 1;
    let mut step = 0;
    while step < 6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(MODULUS[0].wrapping_mul(inverse)));
        step += 1;
    }
    inverse.wrapping_neg()
};

const R_SQUARED: Fe = Fe(power_of_two(512));

/// 1/2^64 and 1/2^128 modulo r: what the lowest word counts for one and two words higher.
const ONE_UP: [u64; 4] = inverse_power_of_two(64);
const TWO_UP: [u64; 4] = inverse_power_of_two(128);

/// A sum of at most 2 * 2^256 = 10.58 r is known well enough by its upper 6 bits of 257.
const INDEX_BITS: u32 = 6;

/// The largest multiple of r not above index * 2^251, modulo 2^256.
const MULTIPLES: [[u64; 4]; 1 << INDEX_BITS] = {
    let mut multiples = [[0; 4]; 1 << INDEX_BITS];
    // What is left of index * 2^251 when the multiple is taken off, below r.
    let (mut multiple, mut rest, mut index) = ([0; 4], [0; 4], 1);
    while index < multiples.len() {
        // 2^251 is below r, so one more multiple at most is added each time.
        rest = add_words(&rest, &[0, 0, 0, 1 << 59]);
        let (less, is_below) = minus(&rest, &MODULUS);
        if !is_below {
            rest = less;
            multiple = add_words(&multiple, &MODULUS);
        }
        multiples[index] = multiple;
        index += 1;
    }
    multiples
};

/// 2^exponent modulo r, for constants.
pub(super) const fn power_of_two(exponent: usize) -> [u64; 4] {
    let (mut value, mut doubled) = ([1, 0, 0, 0], 0);
    while doubled < exponent {
        let twice = add_words(&value, &value);
        let (less, is_below) = minus(&twice, &MODULUS);
        value = if is_below { twice } else { less };
        doubled += 1;
    }
    value
}

/// 1/2^exponent modulo r, for constants.
pub(super) const fn inverse_power_of_two(exponent: usize) -> [u64; 4] {
    let (mut value, mut halved) = ([1, 0, 0, 0], 0);
    while halved < exponent {
        let [a, b, c, d] = if value[0] % 2 == 0 { value } else { add_words(&value, &MODULUS) };
        value = [a >> 1 | b << 63, b >> 1 | c << 63, c >> 1 | d << 63, d >> 1];
        halved += 1;
    }
    value
}

/// Whether a plain integer is below r.
#[inline(always)]
pub(super) const fn is_canonical(words: &[u64; 4]) -> bool {
    minus(words, &MODULUS).1
}

/// The sum modulo 2^256.
#[inline(always)]
const fn add_words(a: &[u64; 4], b: &[u64; 4]) -> [u64; 4] {
    let [w0, w1, w2, w3, _] = add_wide(&[a[0], a[1], a[2], a[3], 0], b);
    [w0, w1, w2, w3]
}

#[inline(always)]
const fn add_wide(a: &[u64; 5], b: &[u64; 4]) -> [u64; 5] {
    let (mut sum, mut carry, mut i) = ([0; 5], 0, 0);
    while i < 4 {
        let wide = a[i] as u128 + b[i] as u128 + carry;
        sum[i] = wide as u64;
        carry = wide >> 64;
        i += 1;
    }
    sum[4] = a[4] + carry as u64;
    sum
}

/// The difference modulo 2^256, and whether it went below zero.
#[inline(always)]
pub(super) const fn minus(a: &[u64; 4], b: &[u64; 4]) -> ([u64; 4], bool) {
    let (mut rest, mut borrow, mut i) = ([0; 4], 0, 0);
    while i < 4 {
        let wide = (a[i] as u128).wrapping_sub(b[i] as u128 + borrow);
        rest[i] = wide as u64;
        borrow = wide >> 127;
        i += 1;
    }
    (rest, borrow == 1)
}

/// a * b + c + d, which two words always hold: the lower and the upper one.
#[inline(always)]
const fn multiply_add(a: u64, b: u64, c: u64, d: u64) -> (u64, u64) {
    let wide = a as u128 * b as u128 + c as u128 + d as u128;
    (wide as u64, (wide >> 64) as u64)
}

/// Add factor * words at `at`.
#[inline(always)]
const fn add_times(sum: &mut [u64; 8], at: usize, factor: u64, words: &[u64; 4]) {
    let (mut carry, mut i) = (0, 0);
    while i < 4 {
        (sum[at + i], carry) = multiply_add(factor, words[i], sum[at + i], carry);
        i += 1;
    }
    i += at;
    while i < 8 {
        (sum[i], carry) = multiply_add(0, 0, sum[i], carry);
        i += 1;
    }
}

/// A field element times R: any integer below 2^256 that is congruent to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fe([u64; 4]);

impl Fe {
    pub(super) const ZERO: Self = Self([0; 4]);

    /// The element of a plain integer below r. Below 1.96 r.
    pub(super) const fn from_words(words: [u64; 4]) -> Self {
        Self(words).times(R_SQUARED)
    }

    /// The plain integer below r.
    pub(super) const fn to_words(self) -> [u64; 4] {
        let mut words = self.times(Self([1, 0, 0, 0])).0;
        while !is_canonical(&words) {
            words = minus(&words, &MODULUS).0;
        }
        words
    }

    /// The sum, which must stay below 5.29 r.
    #[inline(always)]
    pub(super) const fn plus(self, other: Self) -> Self {
        Self(add_words(&self.0, &other.0))
    }

    #[inline(always)]
    pub(super) const fn widened(self) -> Sum {
        let [a, b, c, d] = self.0;
        Sum([a, b, c, d, 0])
    }

    /// Below 0.189 a b + 1.77 of factors a and b.
    #[inline(always)]
    pub(super) const fn times(self, other: Self) -> Self {
        let (mut product, mut i) = ([0; 8], 0);
        while i < 4 {
            add_times(&mut product, i, self.0[i], &other.0);
            i += 1;
        }
        Self(montgomery(product))
    }

    /// The fifth power; below 2.34 r from a base below 1.17 r.
    #[inline(always)]
    pub(super) const fn fifth_power(self) -> Self {
        let square = self.times(self);
        self.times(square.times(square))
    }
}

/// A product divided by R: its lower four words are added higher up, times what they count for there.
/// Only the last needs a factor that depends on what came before, so most of the work is parallel.
#[inline(always)]
const fn montgomery(mut product: [u64; 8]) -> [u64; 4] {
    let [first, second, ..] = product;
    add_times(&mut product, 2, first, &TWO_UP);
    add_times(&mut product, 2, second, &ONE_UP);
    let third = product[2];
    add_times(&mut product, 3, third, &ONE_UP);
    let factor = product[3].wrapping_mul(NEGATED_INVERSE);
    add_times(&mut product, 3, factor, &MODULUS);
    let [_, _, _, _, a, b, c, d] = product;
    [a, b, c, d]
}

/// A sum of elements below 10.58 r.
#[derive(Clone, Copy)]
pub(super) struct Sum([u64; 5]);

impl Sum {
    #[inline(always)]
    pub(super) const fn plus(self, other: Fe) -> Self {
        Self(add_wide(&self.0, &other.0))
    }

    /// Below 1.17 r.
    #[inline(always)]
    pub(super) const fn reduced(self) -> Fe {
        let [a, b, c, d, e] = self.0;
        let index = (e << (INDEX_BITS - 1) | d >> (65 - INDEX_BITS)) as usize % MULTIPLES.len();
        Fe(minus(&[a, b, c, d], &MULTIPLES[index]).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_from_their_form() {
        let (largest, _) = minus(&MODULUS, &[1, 0, 0, 0]);
        for words in [[0; 4], [1, 0, 0, 0], [7, 1 << 63, 9, 0x1234], largest] {
            assert_eq!(Fe::from_words(words).to_words(), words);
        }
    }

    #[test]
    fn halves_undo_doubles() {
        let product = Fe::from_words(power_of_two(300)).times(Fe::from_words(inverse_power_of_two(300)));
        assert_eq!(product.to_words(), [1, 0, 0, 0]);
    }

    #[test]
    fn sums_up_to_their_bound_are_reduced() {
        // 1.17 r, a little more than the bound, so that the test is not of the rounding.
        let limit = add_words(&MODULUS, &[0, 0, 0, MODULUS[3] / 100 * 17 + 2]);
        for step in 0..=1000u64 {
            let top = step << 54; // up to 2^257, in steps of 2^246
            let sum = Sum([step, !step, step * 3, top, step >> 10]);
            let plain = Fe([step, !step, step * 3, top]);
            let reduced = sum.reduced();
            assert!(minus(&reduced.0, &limit).1, "{step}");
            let above = if step >> 10 == 1 { Fe(power_of_two(256)).to_words() } else { [0; 4] };
            let expected = Fe(plain.to_words()).plus(Fe(above)).to_words();
            assert_eq!(Fe(reduced.to_words()).to_words(), expected, "{step}");
        }
    }
}
