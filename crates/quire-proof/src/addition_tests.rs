//! Sums of every kind on every machine, beside arkworks.

use ark_ec::CurveGroup;
use ark_ff::UniformRand;

use super::*;

type Points<G> = Vec<<G as Group>::Point>;

/// Multiples of the generator, some at infinity, some equal, some opposite.
fn sample<G: Group>(count: usize) -> Points<G> {
    let generator = Affine::<G::Curve>::generator();
    let numbers = (0..count as u64).map(|i| match i % 11 {
        3 => 0,
        7 => 5,
        _ => i * i + 1,
    });
    numbers.map(|number| G::write(&(generator * ark_bn254::Fr::from(number)).into_affine())).collect()
}

fn sums(count: usize, of: usize, to: usize) -> Vec<Sum> {
    let sign = |i: usize, by: usize| if i.is_multiple_of(by) { NEGATIVE } else { 0 };
    let each = (0..count).map(|i| Sum {
        left: (i * 7 % of) as u32 | sign(i, 3),
        right: (i * 13 % of) as u32 | sign(i, 5),
        to: (i * 3 % to) as u32,
    });
    each.collect()
}

fn expected<G: Group>(left: &Points<G>, right: &Points<G>, sum: &Sum) -> G::Point {
    G::write(&(signed::<G>(left, sum.left) + signed::<G>(right, sum.right)).into_affine())
}

fn machines() -> Vec<Machine> {
    if Machine::best() == Machine::Plain { vec![Machine::Plain] } else { vec![Machine::Plain, Machine::best()] }
}

fn sums_agree<G: Group>() {
    let (left, right) = (sample::<G>(50), sample::<G>(50));
    for machine in machines() {
        for count in [0, 1, 7, 8, 9, 16, 17, 100, 2 * BLOCK + 5] {
            let places = 3 * count + 1;
            let list = sums(count, 50, places);
            let mut out = vec![G::ZERO; places];
            add::<G>(machine, &left, &right, &mut out, &list);
            for sum in &list {
                assert!(out[sum.to as usize] == expected::<G>(&left, &right, sum), "{machine:?} {count} {sum:?}");
            }
            assert!(out.iter().filter(|point| **point != G::ZERO).count() <= count);
        }
    }
}

#[test]
fn sums_agree_with_arkworks_in_g1() {
    sums_agree::<G1>();
}

#[test]
fn sums_agree_with_arkworks_in_g2() {
    sums_agree::<G2>();
}

fn sums_onto_agree<G: Group>() {
    let (start, right) = (sample::<G>(300), sample::<G>(40));
    let list: Vec<Sum> = (0..300).map(|i| Sum { left: i, right: i * 7 % 40, to: i }).collect();
    for machine in machines() {
        let mut all = start.clone();
        add_onto::<G>(machine, &mut all, &right, &list);
        for sum in &list {
            assert!(all[sum.to as usize] == expected::<G>(&start, &right, sum));
        }
    }
}

#[test]
fn sums_onto_a_place_agree_with_arkworks() {
    sums_onto_agree::<G1>();
    sums_onto_agree::<G2>();
}

#[test]
fn random_points_add_up() {
    let mut rng = ark_std::test_rng();
    let points: Vec<G1Bytes> = (0..512).map(|_| G1::write(&G1Affine::rand(&mut rng))).collect();
    let list: Vec<Sum> = (0..512).map(|i| Sum { left: i, right: ((i + 1) % 512) | NEGATIVE, to: i }).collect();
    for machine in machines() {
        let mut out = vec![G1::ZERO; 512];
        add::<G1>(machine, &points, &points, &mut out, &list);
        assert!(list.iter().all(|sum| out[sum.to as usize] == expected::<G1>(&points, &points, sum)));
    }
}

#[test]
#[should_panic(expected = "out of range")]
fn an_index_out_of_range_is_no_memory_access() {
    let points = sample::<G1>(4);
    let mut out = points.clone();
    add::<G1>(Machine::best(), &points, &points, &mut out, &[Sum { left: 4 | NEGATIVE, right: 0, to: 0 }]);
}
