//! Sums of many points, on every machine, beside arkworks.

use ark_ec::{AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::UniformRand;

use super::*;

/// Points at infinity, equal and opposite points among others.
fn points<G: Group>(count: usize) -> Vec<G::Point> {
    let generator = ark_ec::short_weierstrass::Affine::<G::Curve>::generator();
    let numbers = (0..count as i64).map(|i| match i % 10 {
        4 => 0,
        6 => 3,
        8 => -3,
        _ => i * i + 1,
    });
    numbers.map(|number| G::write(&(generator * Fr::from(number)).into_affine())).collect()
}

/// Zeros, ones, small, large and negative numbers, and the edges.
fn scalars(count: usize) -> Vec<Fr> {
    let mut rng = ark_std::test_rng();
    let half = Fr::from(Fr::MODULUS_MINUS_ONE_DIV_TWO);
    let kinds = |i: usize, rng: &mut _| match i % 9 {
        0 => Fr::ZERO,
        1 => Fr::from(1u64),
        2 => -Fr::from(1u64),
        3 => Fr::from(i as u64),
        4 => half,
        5 => half + Fr::from(1u64),
        6 => Fr::from(u64::MAX) * Fr::from(u64::MAX),
        _ => Fr::rand(rng),
    };
    (0..count).map(|i| kinds(i, &mut rng)).collect()
}

fn agrees<G: Group>(count: usize, width: u32, from: usize)
where
    Projective<G::Curve>: VariableBaseMSM<ScalarField = Fr, MulBase = ark_ec::short_weierstrass::Affine<G::Curve>>,
{
    let (points, scalars) = (points::<G>(count), scalars(count + from));
    let bases: Vec<_> = points.iter().map(G::read).collect();
    let expected = <Projective<G::Curve> as VariableBaseMSM>::msm_unchecked(&bases, &scalars[from..]);
    let digits = Digits::of_width(&scalars, width);
    for machine in [Machine::Plain, Machine::best()] {
        let found = sum::<G>(machine, &points, &digits, from, &Cancel::new()).unwrap();
        assert_eq!(found, expected, "{machine:?}, {count} points, width {width}");
    }
}

#[test]
fn sums_in_g1_agree_with_arkworks_at_every_width() {
    for width in 2..=MAX_WIDTH {
        agrees::<G1>(300, width, 0);
    }
    for count in [0, 1, 2, 17, 5000] {
        agrees::<G1>(count, best_width(count), 3);
    }
}

#[test]
fn sums_in_g2_agree_with_arkworks() {
    for (count, width) in [(0, 3), (1, 5), (40, 7), (300, 13), (700, 8)] {
        agrees::<G2>(count, width, 4);
    }
}

#[test]
fn digits_add_up_to_the_scalar() {
    let scalars = scalars(40);
    for width in 2..=MAX_WIDTH {
        let digits = Digits::of_width(&scalars, width);
        for (index, scalar) in scalars.iter().enumerate() {
            let base = Fr::from(1u64 << width);
            let back = (0..digits.places()).rev().fold(Fr::ZERO, |sum, place| {
                let digit = digits.digit(index, place);
                assert!(digit.unsigned_abs() <= 1 << (width - 1), "width {width}, place {place}: {digit}");
                sum * base + Fr::from(digit)
            });
            assert_eq!(back, *scalar, "width {width}");
        }
    }
}

#[test]
fn all_points_in_one_bucket_are_added_up() {
    let points = points::<G1>(20_000);
    let digits = Digits::new(&vec![Fr::from(1u64); points.len()]);
    let expected: G1Projective = points.iter().map(|point| G1Projective::from(G1::read(point))).sum();
    assert_eq!(g1(&points, &digits, 0, &Cancel::new()).unwrap(), expected);
}

#[test]
fn a_cancelled_sum_stops() {
    let cancel = Cancel::new();
    cancel.set();
    let digits = Digits::new(&scalars(100));
    assert!(g1(&points::<G1>(100), &digits, 0, &cancel).is_err());
}
