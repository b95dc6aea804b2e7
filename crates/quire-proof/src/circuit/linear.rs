//! A linear form of wires as its terms, in the order of the wires, none of them zero.

use std::cmp::Ordering;
use std::ops::{Add, Mul, Sub};

use ark_bn254::Fr;
use ark_ff::{One, Zero};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Linear(Vec<(u32, Fr)>);

impl Linear {
    pub fn wire(wire: u32) -> Self {
        Linear(vec![(wire, Fr::one())])
    }

    pub fn terms(&self) -> &[(u32, Fr)] {
        &self.0
    }

    fn merge(self, other: Self, combine: impl Fn(Fr, Fr) -> Fr) -> Self {
        let mut terms = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut left, mut right) = (self.0.into_iter().peekable(), other.0.into_iter().peekable());
        loop {
            let order = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) => a.0.cmp(&b.0),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return Linear(terms),
            };
            let a = left.next_if(|_| order != Ordering::Greater);
            let b = right.next_if(|_| order != Ordering::Less);
            let wire = a.or(b).map_or(0, |term| term.0);
            let value = combine(a.map_or(Fr::zero(), |term| term.1), b.map_or(Fr::zero(), |term| term.1));
            if !value.is_zero() {
                terms.push((wire, value));
            }
        }
    }
}

/// The constant form: so many times wire 0, which is one.
impl From<Fr> for Linear {
    fn from(value: Fr) -> Self {
        if value.is_zero() { Linear::default() } else { Linear(vec![(0, value)]) }
    }
}

impl Add for Linear {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.merge(other, |a, b| a + b)
    }
}

impl Sub for Linear {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.merge(other, |a, b| a - b)
    }
}

impl Add<Fr> for Linear {
    type Output = Self;

    fn add(self, constant: Fr) -> Self {
        self + Linear::from(constant)
    }
}

impl Mul<Fr> for Linear {
    type Output = Self;

    fn mul(mut self, factor: Fr) -> Self {
        if factor.is_zero() {
            return Linear::default();
        }
        self.0.iter_mut().for_each(|term| term.1 *= factor);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: u64) -> Fr {
        Fr::from(value)
    }

    #[test]
    fn terms_of_one_wire_join_and_vanish_at_zero() {
        let (x, y) = (Linear::wire(3), Linear::wire(1));
        let sum = x.clone() * number(2) + y.clone() + number(5) + x.clone();
        assert_eq!(sum.terms(), [(0, number(5)), (1, number(1)), (3, number(3))]);
        assert_eq!((sum.clone() - x * number(3) - y + -number(5)).terms(), []);
        assert_eq!((sum * number(0)).terms(), []);
    }
}
