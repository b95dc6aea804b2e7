//! The number-theoretic transform over the scalar field, in place.
//!
//! [`to_coefficients`] takes values in natural order to coefficients in bit-reversed order, and
//! [`to_values`] takes these back, so that no permutation is ever done.

use ark_bn254::Fr;
use ark_ff::{FftField, Field, One};

/// The standard root of unity of order 2^log; its square is that of order 2^(log-1).
///
/// # Panics
/// When `log` is above 28, the two-adicity of the field.
pub fn root_of_unity(log: u32) -> Fr {
    let mut root = Fr::TWO_ADIC_ROOT_OF_UNITY;
    assert!(log <= Fr::TWO_ADICITY, "no root of order 2^{log}");
    for _ in log..Fr::TWO_ADICITY {
        root.square_in_place();
    }
    root
}

/// `start`, `start·factor`, `start·factor²` and so on.
pub fn powers(start: Fr, factor: Fr, count: usize) -> Vec<Fr> {
    std::iter::successors(Some(start), |power| Some(*power * factor)).take(count).collect()
}

/// Position of a number of `log` bits read backwards.
pub fn reversed(index: usize, log: u32) -> usize {
    if log == 0 { 0 } else { index.reverse_bits() >> (usize::BITS - log) }
}

/// Roots for transforms of one size, a power of two.
pub struct Domain {
    log: u32,
    forward: Vec<Fr>,
    backward: Vec<Fr>,
}

impl Domain {
    pub fn new(size: usize) -> Self {
        let log = size.trailing_zeros();
        let root = root_of_unity(log);
        let inverse = root.inverse().unwrap_or(Fr::one());
        let half = (size / 2).max(1);
        Domain { log, forward: powers(Fr::one(), root, half), backward: powers(Fr::one(), inverse, half) }
    }

    pub fn size(&self) -> usize {
        1 << self.log
    }

    /// Values at the powers of the root, to `size` times the coefficients, in bit-reversed order.
    pub fn to_coefficients(&self, values: &mut [Fr]) {
        assert_eq!(values.len(), self.size());
        let mut half = values.len() / 2;
        while half > 0 {
            let step = self.size() / (2 * half);
            for block in values.chunks_exact_mut(2 * half) {
                let (low, high) = block.split_at_mut(half);
                for ((x, y), root) in low.iter_mut().zip(high).zip(self.backward.iter().step_by(step)) {
                    let difference = *x - *y;
                    *x += *y;
                    *y = difference * root;
                }
            }
            half /= 2;
        }
    }

    /// Coefficients in bit-reversed order, to values at the powers of the root.
    pub fn to_values(&self, coefficients: &mut [Fr]) {
        assert_eq!(coefficients.len(), self.size());
        let mut half = 1;
        while half < coefficients.len() {
            let step = self.size() / (2 * half);
            for block in coefficients.chunks_exact_mut(2 * half) {
                let (low, high) = block.split_at_mut(half);
                for ((x, y), root) in low.iter_mut().zip(high).zip(self.forward.iter().step_by(step)) {
                    let turned = *y * root;
                    *y = *x - turned;
                    *x += turned;
                }
            }
            half *= 2;
        }
    }
}

/// Multiplies coefficient i, wherever it stands, by `start·factor^i`.
pub fn scale(coefficients: &mut [Fr], powers: &[Fr]) {
    let log = coefficients.len().trailing_zeros();
    for (position, value) in coefficients.iter_mut().enumerate() {
        *value *= powers[reversed(position, log)];
    }
}

/// All Lagrange polynomials of the domain of this size at a point outside of it.
pub fn lagrange_at(point: Fr, size: usize) -> Vec<Fr> {
    let root = root_of_unity(size.trailing_zeros());
    let vanishing = point.pow([size as u64]) - Fr::one();
    let roots = powers(Fr::one(), root, size);
    let mut out: Vec<Fr> = roots.iter().map(|root| point - root).collect();
    ark_ff::batch_inversion(&mut out);
    let factor = vanishing * Fr::from(size as u64).inverse().unwrap_or(Fr::one());
    for (value, root) in out.iter_mut().zip(&roots) {
        *value *= factor * root;
    }
    out
}

#[cfg(test)]
mod tests {
    use ark_ff::Zero;

    use super::*;

    fn sample(size: usize) -> Vec<Fr> {
        powers(Fr::from(3u64), Fr::from(0x1234_5678_9abcu64), size)
    }

    /// The polynomial with these coefficients at a point.
    fn at(coefficients: &[Fr], point: Fr) -> Fr {
        coefficients.iter().rev().fold(Fr::zero(), |sum, value| sum * point + value)
    }

    #[test]
    fn coefficients_interpolate_the_values() {
        for log in 0..7 {
            let size = 1usize << log;
            let values = sample(size);
            let mut bits = values.clone();
            Domain::new(size).to_coefficients(&mut bits);
            let scale = Fr::from(size as u64).inverse().unwrap();
            let coefficients: Vec<Fr> = (0..size).map(|i| bits[reversed(i, log)] * scale).collect();
            for (index, value) in values.iter().enumerate() {
                assert_eq!(at(&coefficients, root_of_unity(log).pow([index as u64])), *value);
            }
        }
    }

    #[test]
    fn values_come_back_from_their_coefficients() {
        let values = sample(64);
        let mut turned = values.clone();
        let domain = Domain::new(64);
        domain.to_coefficients(&mut turned);
        domain.to_values(&mut turned);
        let size = Fr::from(64u64);
        assert!(turned.iter().zip(&values).all(|(a, b)| *a == *b * size));
    }

    #[test]
    fn lagrange_polynomials_interpolate() {
        let point = Fr::from(77u64);
        let values = sample(8);
        let mut bits = values.clone();
        Domain::new(8).to_coefficients(&mut bits);
        let eighth = Fr::from(8u64).inverse().unwrap();
        let coefficients: Vec<Fr> = (0..8).map(|i| bits[reversed(i, 3)] * eighth).collect();
        let sum: Fr = lagrange_at(point, 8).iter().zip(&values).map(|(l, v)| *l * v).sum();
        assert_eq!(sum, at(&coefficients, point));
    }
}
