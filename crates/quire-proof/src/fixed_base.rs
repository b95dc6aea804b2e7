//! Many multiples of one point: what a set-up is made of.

use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::scalar_mul::BatchMulPreprocessing;
use rayon::prelude::*;

use crate::cancel::Cancel;
use crate::error::Result;
use crate::points::{self, G1Bytes, G2Bytes};

const PIECE: usize = 4096;
/// Decides the width of the windows.
const EXPECTED: usize = 1 << 17;

pub struct TableG1(BatchMulPreprocessing<G1Projective>);
pub struct TableG2(BatchMulPreprocessing<G2Projective>);

impl TableG1 {
    pub fn new(base: G1Affine) -> Self {
        TableG1(BatchMulPreprocessing::new(base.into(), EXPECTED))
    }
}

impl TableG2 {
    pub fn new(base: G2Affine) -> Self {
        TableG2(BatchMulPreprocessing::new(base.into(), EXPECTED))
    }
}

/// The multiples, in the form of a key file. `report` hears how many more are done.
pub fn g1(table: &TableG1, scalars: &[Fr], cancel: &Cancel, report: &mut impl FnMut(usize)) -> Result<Vec<G1Bytes>> {
    multiples(scalars, cancel, report, |piece| table.0.batch_mul(piece).iter().map(points::g1_to).collect())
}

pub fn g2(table: &TableG2, scalars: &[Fr], cancel: &Cancel, report: &mut impl FnMut(usize)) -> Result<Vec<G2Bytes>> {
    multiples(scalars, cancel, report, |piece| table.0.batch_mul(piece).iter().map(points::g2_to).collect())
}

fn multiples<P: Send>(
    scalars: &[Fr],
    cancel: &Cancel,
    report: &mut impl FnMut(usize),
    one: impl Fn(&[Fr]) -> Vec<P> + Sync,
) -> Result<Vec<P>> {
    let mut out = Vec::with_capacity(scalars.len());
    for group in scalars.chunks(PIECE * rayon::current_num_threads()) {
        cancel.check()?;
        out.par_extend(group.par_chunks(PIECE).flat_map_iter(&one));
        report(group.len());
    }
    Ok(out)
}
