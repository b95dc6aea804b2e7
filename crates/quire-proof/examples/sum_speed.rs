//! CPU time of sums of points beside arkworks: `sum_speed [log2 of the points]`.

use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{CurveGroup, PrimeGroup, VariableBaseMSM};
use ark_ff::UniformRand;
use quire_proof::Cancel;
use quire_proof::addition::{G1, G2, Group, Machine};
use quire_proof::msm::{self, Digits};
use std::hint::black_box;

fn cpu() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a plain output argument.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn timed<T>(what: &str, work: impl Fn() -> T) {
    let best = (0..3).map(|_| {
        let start = cpu();
        black_box(work());
        cpu() - start
    });
    println!("{what}: {:.3} CPU s", best.fold(f64::MAX, f64::min));
}

/// Multiples of the generator by doublings and additions, quickly.
fn chain<P: CurveGroup + PrimeGroup>(count: usize) -> Vec<P::Affine> {
    let mut point = P::generator();
    let all: Vec<P> = (0..count)
        .map(|i| {
            point = if i % 3 == 0 { point + P::generator() } else { point.double() };
            point
        })
        .collect();
    P::normalize_batch(&all)
}

fn main() {
    let log = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(17);
    let count = 1usize << log;
    let mut rng = ark_std::test_rng();
    let scalars: Vec<Fr> = (0..count).map(|_| Fr::rand(&mut rng)).collect();
    let (g1, g2): (Vec<G1Affine>, Vec<G2Affine>) = (chain::<G1Projective>(count), chain::<G2Projective>(count));
    let bytes1: Vec<_> = g1.iter().map(G1::write).collect();
    let bytes2: Vec<_> = g2.iter().map(G2::write).collect();
    timed("digits", || Digits::new(&scalars));
    let digits = Digits::new(&scalars);
    for machine in [Machine::best(), Machine::Plain] {
        let stop = Cancel::new();
        timed(&format!("G1 {machine:?}"), || msm::sum::<G1>(machine, &bytes1, &digits, 0, &stop));
        timed(&format!("G2 {machine:?}"), || msm::sum::<G2>(machine, &bytes2, &digits, 0, &stop));
    }
    timed("G1 arkworks", || G1Projective::msm_unchecked(&g1, &scalars));
    timed("G2 arkworks", || G2Projective::msm_unchecked(&g2, &scalars));
}
