//! Many multiples of one point: what a set-up is made of.

use ark_bn254::Fr;
use ark_ec::CurveGroup;
use ark_ec::short_weierstrass::{Affine, Projective};
use ark_ff::AdditiveGroup;
use rayon::prelude::*;

use crate::addition::{self, Group, Machine, NEGATIVE, Sum};
use crate::cancel::Cancel;
use crate::error::Result;
use crate::msm::Digits;

/// Bits of a digit; there are so many tables of half as many multiples.
const WIDTH: u32 = 12;
const PER_PLACE: usize = 1 << (WIDTH - 1);
/// Multiples that one core makes together.
const PIECE: usize = 4096;

/// The multiples of a point by all digits at all places.
pub struct Table<G: Group> {
    machine: Machine,
    points: Vec<G::Point>,
}

impl<G: Group> Table<G> {
    pub fn new(machine: Machine, base: Affine<G::Curve>) -> Self {
        let mut unit = Projective::from(base);
        let mut points = Vec::new();
        for _ in 0..Digits::of_width(&[], WIDTH).places() {
            let multiples: Vec<_> =
                std::iter::successors(Some(unit), |last| Some(*last + unit)).take(PER_PLACE).collect();
            points.extend(Projective::normalize_batch(&multiples).iter().map(G::write));
            unit = multiples[PER_PLACE - 1];
            unit.double_in_place();
        }
        Table { machine, points }
    }

    /// The multiples by these scalars. `report` hears how many more are done.
    ///
    /// # Errors
    /// `Cancelled`.
    pub fn multiples(&self, scalars: &[Fr], cancel: &Cancel, report: &mut impl FnMut(usize)) -> Result<Vec<G::Point>> {
        let mut out = Vec::with_capacity(scalars.len());
        for group in scalars.chunks(PIECE * rayon::current_num_threads()) {
            cancel.check()?;
            out.par_extend(group.par_chunks(PIECE).flat_map_iter(|piece| self.piece(piece)));
            report(group.len());
        }
        Ok(out)
    }

    fn piece(&self, scalars: &[Fr]) -> Vec<G::Point> {
        let digits = Digits::of_width(scalars, WIDTH);
        let mut out = vec![G::ZERO; scalars.len()];
        let mut sums = Vec::with_capacity(scalars.len());
        for place in 0..digits.places() {
            sums.clear();
            for index in 0..scalars.len() {
                let digit = digits.digit(index, place);
                if digit != 0 {
                    let right = (place as usize * PER_PLACE) as u32 + digit.unsigned_abs() - 1;
                    let sign = if digit < 0 { NEGATIVE } else { 0 };
                    sums.push(Sum { left: index as u32, right: right | sign, to: index as u32 });
                }
            }
            addition::add_onto::<G>(self.machine, &mut out, &self.points, &sums);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use ark_ec::AffineRepr;
    use ark_ff::UniformRand;

    use super::*;
    use crate::addition::{G1, G2};

    fn agrees<G: Group>(base: Affine<G::Curve>) {
        let mut rng = ark_std::test_rng();
        let mut scalars: Vec<Fr> = (0..70).map(|_| Fr::rand(&mut rng)).collect();
        scalars.extend([0, 1, 2, 2048, 2049, 4096].map(Fr::from));
        scalars.extend([-Fr::from(1u64), -Fr::from(2048u64)]);
        for machine in [Machine::Plain, Machine::best()] {
            let mut done = 0;
            let table = Table::<G>::new(machine, base);
            let found = table.multiples(&scalars, &Cancel::new(), &mut |more| done += more).unwrap();
            assert_eq!(done, scalars.len());
            for (scalar, point) in scalars.iter().zip(&found) {
                assert!(G::read(point) == (base * scalar).into_affine());
            }
        }
    }

    #[test]
    fn multiples_agree_with_arkworks() {
        agrees::<G1>(ark_bn254::G1Affine::generator());
        agrees::<G2>(ark_bn254::G2Affine::generator());
    }
}
