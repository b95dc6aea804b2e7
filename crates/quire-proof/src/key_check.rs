//! Looks at every point of a proving key, for `quire circuit check`.

use ark_bn254::{Fr, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, PrimeField};
use rayon::prelude::*;

use crate::bytes::limbs_of_le;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::msm::{self, Digits};
use crate::points::{self, G1Bytes, G2Bytes};
use crate::seed::Stream;
use crate::zkey::ProvingKey;

const PIECE: usize = 4096;
/// The cofactor of the twist has the factor 10069, so one random combination lets a bad point
/// through with probability 1/10069; four make that 10^-16.
const COMBINATIONS: usize = 4;

/// Checks that every point is canonical and on its curve, that the points of G2 are in the group,
/// and that every coefficient names a wire and a row that exist.
///
/// # Errors
/// `BadKey` names the first section that is wrong, and the place in it where that is known.
pub fn check(key: &ProvingKey, seed: &[u8; 32], cancel: &Cancel) -> Result<()> {
    check_coefficients(key)?;
    for (points, what) in [(key.a(), "A"), (key.b1(), "B in G1"), (key.c(), "C"), (key.h(), "H")] {
        check_points(points, |point: &G1Bytes| points::checked_g1(point).is_some(), what, cancel)?;
    }
    check_points(key.b2(), |point: &G2Bytes| points::g2_on_twist(point).is_some(), "B in G2", cancel)?;
    check_group(key.b2(), seed, cancel)
}

fn check_coefficients(key: &ProvingKey) -> Result<()> {
    let bad = key.coefficients().par_iter().position_any(|coefficient| {
        let (numbers, value) = coefficient.split_first_chunk::<12>().expect("44 bytes");
        let (numbers, _) = numbers.as_chunks::<4>();
        let [matrix, constraint, wire] = [0, 1, 2].map(|i| u32::from_le_bytes(numbers[i]) as usize);
        let canonical = BigInt(limbs_of_le(&value.as_chunks().0[0])) < Fr::MODULUS;
        matrix > 1 || constraint >= key.domain() || wire >= key.wires() || !canonical
    });
    match bad {
        None => Ok(()),
        Some(index) => Err(Error::BadKey(format!("coefficient {index} of the key is out of range"))),
    }
}

fn check_points<P: Sync>(points: &[P], is_good: impl Fn(&P) -> bool + Sync, what: &str, cancel: &Cancel) -> Result<()> {
    points.par_chunks(PIECE).enumerate().try_for_each(|(piece, points)| {
        cancel.check()?;
        match points.iter().position(|point| !is_good(point)) {
            None => Ok(()),
            Some(at) => {
                Err(Error::BadKey(format!("point {} of {what} of the key is off the curve", piece * PIECE + at)))
            }
        }
    })
}

/// Random combinations of the points are in the group when all points are, and else hardly ever.
fn check_group(points: &[G2Bytes], seed: &[u8; 32], cancel: &Cancel) -> Result<()> {
    let mut stream = Stream::new("quire key check", seed);
    for _ in 0..COMBINATIONS {
        let weights: Vec<Fr> = points.iter().map(|_| Fr::from(stream.short())).collect();
        let sum: G2Affine = msm::g2(points, &Digits::new(&weights), 0, cancel)?.into();
        if !sum.is_zero() && !sum.is_in_correct_subgroup_assuming_on_curve() {
            return Err(Error::BadKey("a point B in G2 of the key is outside the group".into()));
        }
    }
    Ok(())
}
