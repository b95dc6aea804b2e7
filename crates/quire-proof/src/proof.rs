//! A proof and its public inputs, as the contract takes them (proofs.md 4.6).
//!
//! A proof is eight big-endian words: a.x, a.y, b.x real, b.x imaginary, b.y real, b.y imaginary,
//! c.x, c.y. A public input is one big-endian word. Only canonical numbers are accepted.

use ark_bn254::{Fq, Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;

use crate::bytes::{self, ELEMENT_BYTES};
use crate::error::{Error, Result};
use crate::vk::{g1_of_words, g1_words, g2_of_words, g2_words};

pub const PROOF_BYTES: usize = 8 * ELEMENT_BYTES;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    pub a: G1Affine,
    pub b: G2Affine,
    pub c: G1Affine,
}

impl Proof {
    pub fn to_bytes(&self) -> [u8; PROOF_BYTES] {
        let mut out = [0; PROOF_BYTES];
        let words = g1_words(&self.a).into_iter().chain(g2_words(&self.b)).chain(g1_words(&self.c));
        for (place, word) in out.as_chunks_mut().0.iter_mut().zip(words) {
            *place = word;
        }
        out
    }

    /// # Errors
    /// `BadProof` for a wrong length, a coordinate that is not below the order of the field, a point
    /// off the curve, outside the group, or at infinity.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.len() != PROOF_BYTES {
            return Err(Error::BadProof(format!("a proof has {PROOF_BYTES} bytes, not {}", bytes.len())));
        }
        let (words, _) = bytes.as_chunks::<ELEMENT_BYTES>();
        if let Some(index) = words.iter().position(|word| fq_of_be(word).is_none()) {
            return Err(Error::BadProof(format!("word {index} of the proof is not below the order of the field")));
        }
        let bad = |what: &str| Error::BadProof(format!("point {what} of the proof is not a point of its group"));
        let a = g1_of_words(&words[..2]).filter(|point| !point.is_zero()).ok_or_else(|| bad("a"))?;
        let b = g2_of_words(&words[2..6]).filter(|point| !point.is_zero()).ok_or_else(|| bad("b"))?;
        let c = g1_of_words(&words[6..]).filter(|point| !point.is_zero()).ok_or_else(|| bad("c"))?;
        Ok(Proof { a, b, c })
    }
}

/// The big-endian words of public inputs.
pub fn public_to_bytes(public: &[Fr]) -> Vec<u8> {
    public.iter().flat_map(|value| reversed(bytes::to_le(value))).collect()
}

/// # Errors
/// `BadProof` when the bytes are not whole words, or a word is not below the order of the field.
pub fn public_of_bytes(bytes: &[u8]) -> Result<Vec<Fr>> {
    let (words, rest) = bytes.as_chunks::<ELEMENT_BYTES>();
    if !rest.is_empty() {
        return Err(Error::BadProof(format!("{} bytes are not whole public inputs of 32", bytes.len())));
    }
    let numbered = words.iter().enumerate();
    numbered
        .map(|(index, word)| {
            bytes::from_le(&reversed(*word))
                .ok_or_else(|| Error::BadProof(format!("public input {index} is not below the order of the field")))
        })
        .collect()
}

pub fn fq_to_be(value: &Fq) -> [u8; ELEMENT_BYTES] {
    reversed(bytes::to_le(value))
}

pub fn fq_of_be(word: &[u8; ELEMENT_BYTES]) -> Option<Fq> {
    bytes::from_le(&reversed(*word))
}

fn reversed(mut bytes: [u8; ELEMENT_BYTES]) -> [u8; ELEMENT_BYTES] {
    bytes.reverse();
    bytes
}
