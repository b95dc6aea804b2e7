//! Points as a key file holds them: coordinates in Montgomery form (R = 2^256), little-endian,
//! x before y and c0 before c1; the point at infinity is all zeros.

use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, PrimeField};

use crate::bytes::{limbs_of_le, limbs_to_le};

pub const G1_BYTES: usize = 64;
pub const G2_BYTES: usize = 128;

pub type G1Bytes = [u8; G1_BYTES];
pub type G2Bytes = [u8; G2_BYTES];

fn coordinate(bytes: &[u8; 32]) -> Fq {
    Fq::new_unchecked(BigInt(limbs_of_le(bytes)))
}

fn is_canonical(bytes: &[u8; 32]) -> bool {
    BigInt(limbs_of_le(bytes)) < Fq::MODULUS
}

/// The point behind the bytes, without any check.
pub fn g1_of(bytes: &G1Bytes) -> G1Affine {
    if bytes == &[0; G1_BYTES] {
        return G1Affine::identity();
    }
    let (words, _) = bytes.as_chunks();
    G1Affine::new_unchecked(coordinate(&words[0]), coordinate(&words[1]))
}

/// The point behind the bytes, without any check.
pub fn g2_of(bytes: &G2Bytes) -> G2Affine {
    if bytes == &[0; G2_BYTES] {
        return G2Affine::identity();
    }
    let (words, _) = bytes.as_chunks();
    let [x0, x1, y0, y1] = [0, 1, 2, 3].map(|i| coordinate(&words[i]));
    G2Affine::new_unchecked(Fq2::new(x0, x1), Fq2::new(y0, y1))
}

/// The point, when its coordinates are below the field's order and it lies on the curve.
/// Every point of the curve G1 is in the group.
pub fn checked_g1(bytes: &G1Bytes) -> Option<G1Affine> {
    let point = g1_of(bytes);
    (bytes.as_chunks().0.iter().all(is_canonical) && point.is_on_curve()).then_some(point)
}

/// The point, when its coordinates are below the field's order and it lies on the twist. Whether it
/// is in the group is another question.
pub fn g2_on_twist(bytes: &G2Bytes) -> Option<G2Affine> {
    let point = g2_of(bytes);
    (bytes.as_chunks().0.iter().all(is_canonical) && point.is_on_curve()).then_some(point)
}

/// As [`g2_on_twist`], and in the group.
pub fn checked_g2(bytes: &G2Bytes) -> Option<G2Affine> {
    g2_on_twist(bytes).filter(G2Affine::is_in_correct_subgroup_assuming_on_curve)
}

pub fn g1_to(point: &G1Affine) -> G1Bytes {
    let mut bytes = [0; G1_BYTES];
    if !point.is_zero() {
        let (words, _) = bytes.as_chunks_mut();
        words[0] = limbs_to_le(&point.x.0.0);
        words[1] = limbs_to_le(&point.y.0.0);
    }
    bytes
}

pub fn g2_to(point: &G2Affine) -> G2Bytes {
    let mut bytes = [0; G2_BYTES];
    if !point.is_zero() {
        let (words, _) = bytes.as_chunks_mut();
        for (word, part) in words.iter_mut().zip([point.x.c0, point.x.c1, point.y.c0, point.y.c1]) {
            *word = limbs_to_le(&part.0.0);
        }
    }
    bytes
}
