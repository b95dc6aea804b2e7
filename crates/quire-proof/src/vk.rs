//! The verifying key, and its form as big-endian words.
//!
//! Words: alpha (x, y), beta, gamma, delta (x real, x imaginary, y real, y imaginary each), then one
//! pair (x, y) for the constant and for each public input.

use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;

use crate::bytes::ELEMENT_BYTES;
use crate::error::{Error, Result};
use crate::proof::{fq_of_be, fq_to_be};

const FIXED_WORDS: usize = 2 + 3 * 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    pub alpha: G1Affine,
    pub beta: G2Affine,
    pub gamma: G2Affine,
    pub delta: G2Affine,
    /// One for the constant, then one for each public input.
    pub inputs: Vec<G1Affine>,
}

impl VerifyingKey {
    pub fn public_count(&self) -> usize {
        self.inputs.len() - 1
    }

    pub fn to_words(&self) -> Vec<u8> {
        let mut words = Vec::new();
        words.extend(g1_words(&self.alpha));
        for point in [&self.beta, &self.gamma, &self.delta] {
            words.extend(g2_words(point));
        }
        words.extend(self.inputs.iter().flat_map(g1_words));
        words.concat()
    }

    /// # Errors
    /// `BadKey` for a wrong length, a coordinate that is not below the order of the field, a point
    /// off the curve or outside the group, and the point at infinity where it makes no sense.
    pub fn from_words(bytes: &[u8]) -> Result<Self> {
        let (words, rest) = bytes.as_chunks::<ELEMENT_BYTES>();
        if !rest.is_empty() || words.len() < FIXED_WORDS + 2 || words.len() % 2 != 0 {
            return Err(Error::BadKey(format!("a verifying key of {} bytes is no whole key", bytes.len())));
        }
        let (fixed, inputs) = words.split_at(FIXED_WORDS);
        let key = VerifyingKey {
            alpha: key_g1(&fixed[..2], "alpha")?,
            beta: key_g2(&fixed[2..6], "beta")?,
            gamma: key_g2(&fixed[6..10], "gamma")?,
            delta: key_g2(&fixed[10..], "delta")?,
            inputs: inputs.chunks_exact(2).map(|pair| key_g1(pair, "an input")).collect::<Result<_>>()?,
        };
        key.checked()
    }

    /// # Errors
    /// `BadKey` when a point that pairs with others is at infinity.
    pub fn checked(self) -> Result<Self> {
        if self.alpha.is_zero() || [self.beta, self.gamma, self.delta].iter().any(AffineRepr::is_zero) {
            return Err(Error::BadKey("alpha, beta, gamma or delta of the verifying key is zero".into()));
        }
        Ok(self)
    }
}

fn key_g1(words: &[[u8; 32]], what: &str) -> Result<G1Affine> {
    g1_of_words(words).ok_or_else(|| Error::BadKey(format!("{what} of the verifying key is not on the curve")))
}

fn key_g2(words: &[[u8; 32]], what: &str) -> Result<G2Affine> {
    g2_of_words(words).ok_or_else(|| Error::BadKey(format!("{what} of the verifying key is not in the group")))
}

pub fn g1_words(point: &G1Affine) -> [[u8; 32]; 2] {
    if point.is_zero() { [[0; 32]; 2] } else { [&point.x, &point.y].map(fq_to_be) }
}

pub fn g2_words(point: &G2Affine) -> [[u8; 32]; 4] {
    if point.is_zero() {
        return [[0; 32]; 4];
    }
    [&point.x.c0, &point.x.c1, &point.y.c0, &point.y.c1].map(fq_to_be)
}

/// A point of the curve, or all zeros for infinity.
pub fn g1_of_words(words: &[[u8; 32]]) -> Option<G1Affine> {
    if words.iter().all(|word| word == &[0; 32]) {
        return Some(G1Affine::identity());
    }
    let [x, y] = [fq_of_be(&words[0])?, fq_of_be(&words[1])?];
    Some(G1Affine::new_unchecked(x, y)).filter(G1Affine::is_on_curve)
}

/// A point of the group on the twist, or all zeros for infinity.
pub fn g2_of_words(words: &[[u8; 32]]) -> Option<G2Affine> {
    if words.iter().all(|word| word == &[0; 32]) {
        return Some(G2Affine::identity());
    }
    let parts: Vec<Fq> = words.iter().map(fq_of_be).collect::<Option<_>>()?;
    let point = G2Affine::new_unchecked(Fq2::new(parts[0], parts[1]), Fq2::new(parts[2], parts[3]));
    Some(point).filter(|point| point.is_on_curve() && point.is_in_correct_subgroup_assuming_on_curve())
}
