//! The scalar field of BN254 in four 64-bit words, Montgomery form with R = 2^256.

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

/// 2^exponent modulo r, for constants.
pub(super) const fn power_of_two(exponent: usize) -> [u64; 4] {
    let mut value = [1, 0, 0, 0];
    let mut doubled = 0;
    while doubled < exponent {
        value = minus_modulus_if_above(add_words(&value, &value));
        doubled += 1;
    }
    value
}

/// `true` when `words < modulus`.
pub(super) const fn is_reduced(words: &[u64; 4], modulus: &[u64; 4]) -> bool {
    let mut place = 4;
    while place > 0 {
        place -= 1;
        if words[place] != modulus[place] {
            return words[place] < modulus[place];
        }
    }
    false
}

#[inline(always)]
const fn add_words(a: &[u64; 4], b: &[u64; 4]) -> [u64; 4] {
    let (mut sum, mut carry, mut i) = ([0; 4], 0, 0);
    while i < 4 {
        let wide = a[i] as u128 + b[i] as u128 + carry;
        sum[i] = wide as u64;
        carry = wide >> 64;
        i += 1;
    }
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

#[inline(always)]
const fn minus_modulus_if_above(words: [u64; 4]) -> [u64; 4] {
    let (rest, is_below) = minus(&words, &MODULUS);
    if is_below { words } else { rest }
}

/// Half of a number below r, modulo r.
pub(super) const fn halved(words: [u64; 4]) -> [u64; 4] {
    let [a, b, c, d] = if words[0] % 2 == 0 { words } else { add_words(&words, &MODULUS) };
    [a >> 1 | b << 63, b >> 1 | c << 63, c >> 1 | d << 63, d >> 1]
}

/// A field element, fully reduced, times R.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fe([u64; 4]);

impl Fe {
    pub(super) const ZERO: Self = Self([0; 4]);

    /// The element of a plain integer below 2^256.
    pub(super) const fn from_words(words: [u64; 4]) -> Self {
        Self(words).times(R_SQUARED)
    }

    /// The plain integer below r.
    pub(super) const fn to_words(self) -> [u64; 4] {
        self.times(Self([1, 0, 0, 0])).0
    }

    #[inline(always)]
    pub(super) const fn plus(self, other: Self) -> Self {
        Self(minus_modulus_if_above(add_words(&self.0, &other.0)))
    }

    #[inline(always)]
    pub(super) const fn times(self, other: Self) -> Self {
        let (mut t, mut i) = ([0u64; 4], 0);
        while i < 4 {
            let mut low = other.0[i] as u128 * self.0[0] as u128 + t[0] as u128;
            let factor = (low as u64).wrapping_mul(NEGATED_INVERSE);
            let mut reduced = factor as u128 * MODULUS[0] as u128 + (low as u64) as u128;
            let mut j = 1;
            while j < 4 {
                low = other.0[i] as u128 * self.0[j] as u128 + t[j] as u128 + (low >> 64);
                reduced = factor as u128 * MODULUS[j] as u128 + (low as u64) as u128 + (reduced >> 64);
                t[j - 1] = reduced as u64;
                j += 1;
            }
            t[3] = (low >> 64) as u64 + (reduced >> 64) as u64;
            i += 1;
        }
        Self(minus_modulus_if_above(t))
    }

    /// The fifth power.
    #[inline(always)]
    pub(super) const fn fifth_power(self) -> Self {
        let square = self.times(self);
        self.times(square.times(square))
    }
}
