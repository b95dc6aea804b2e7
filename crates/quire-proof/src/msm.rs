//! Sums of points of a key, each times a scalar.

use ark_bn254::{Fr, G1Projective, G2Projective};
use ark_ec::VariableBaseMSM;
use rayon::prelude::*;

use crate::cancel::Cancel;
use crate::error::Result;
use crate::points::{self, G1Bytes, G2Bytes};

const PIECE: usize = 1 << 14;

pub fn g1(points: &[G1Bytes], scalars: &[Fr], cancel: &Cancel) -> Result<G1Projective> {
    sum(points, scalars, points::g1_of, cancel)
}

pub fn g2(points: &[G2Bytes], scalars: &[Fr], cancel: &Cancel) -> Result<G2Projective> {
    sum(points, scalars, points::g2_of, cancel)
}

fn sum<P: Sync, G: VariableBaseMSM<ScalarField = Fr>>(
    points: &[P],
    scalars: &[Fr],
    read: fn(&P) -> G::MulBase,
    cancel: &Cancel,
) -> Result<G> {
    assert_eq!(points.len(), scalars.len(), "one scalar for each point");
    let pieces = points.par_chunks(PIECE).zip(scalars.par_chunks(PIECE));
    let sums = pieces.map(|(points, scalars)| {
        cancel.check()?;
        let bases: Vec<G::MulBase> = points.iter().map(read).collect();
        Ok(G::msm_unchecked(&bases, scalars))
    });
    sums.try_reduce(G::zero, |a, b| Ok(a + b))
}
