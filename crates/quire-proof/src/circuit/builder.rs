//! One description of a circuit, two uses: `Shape` collects its constraints, `Values` computes its
//! wires. A gadget is written once over `Builder`, so the two cannot drift apart.

use std::ops::{Add, Mul, Sub};

use ark_bn254::Fr;
use ark_ff::One;

use super::linear::Linear;
use crate::r1cs::R1cs;

/// A linear form of wires: its terms under `Shape`, its value under `Values`.
pub trait Num:
    Clone + From<Fr> + Add<Output = Self> + Sub<Output = Self> + Add<Fr, Output = Self> + Mul<Fr, Output = Self>
{
}

impl Num for Fr {}
impl Num for Linear {}

pub trait Builder {
    type Num: Num;

    /// An input by its wire, counted from 1: first the public ones, then the private ones.
    fn input(&self, wire: usize) -> Self::Num;

    /// New wires, computed from the values of `from`. `compute` also gives the values of `E` linear
    /// forms of these wires, which `express` names; so nothing is computed twice.
    fn solve<const F: usize, const W: usize, const E: usize>(
        &mut self,
        from: [&Self::Num; F],
        compute: impl FnOnce([Fr; F]) -> ([Fr; W], [Fr; E]),
        express: impl FnOnce([Self::Num; W]) -> [Self::Num; E],
    ) -> [Self::Num; E];

    /// `count` new wires, computed from the value of `from`.
    fn list(&mut self, from: &Self::Num, count: usize, compute: impl FnOnce(Fr) -> Vec<Fr>) -> Vec<Self::Num>;

    /// A constraint `a * b = c` that the wires satisfy by the way they were computed.
    fn constrain(&mut self, form: impl FnOnce() -> [Self::Num; 3]);

    /// A constraint `a * b = c` that holds only if the inputs are right. `clause` says in words what
    /// does not hold otherwise.
    fn demand(&mut self, a: Self::Num, b: Self::Num, c: Self::Num, clause: impl FnOnce() -> String);

    /// A new wire for `a * b`. Wires that stand in `b` cost a prover three times as much, since they
    /// take part in the sum over G2.
    fn product(&mut self, a: &Self::Num, b: &Self::Num) -> Self::Num {
        let [wire] = self.solve([a, b], |[a, b]| ([a * b], [a * b]), |wires| wires);
        self.constrain(|| [a.clone(), b.clone(), wire.clone()]);
        wire
    }

    /// That two linear forms are equal.
    fn demand_equal(&mut self, a: Self::Num, b: Self::Num, clause: impl FnOnce() -> String) {
        self.demand(a, Self::Num::from(Fr::one()), b, clause);
    }
}

/// Collects the constraints.
pub struct Shape {
    r1cs: R1cs,
}

impl Shape {
    pub fn new(public_inputs: u32, private_inputs: u32) -> Self {
        Shape { r1cs: R1cs::new(0, public_inputs, private_inputs) }
    }

    pub fn finish(self) -> R1cs {
        self.r1cs
    }
}

impl Builder for Shape {
    type Num = Linear;

    fn input(&self, wire: usize) -> Linear {
        debug_assert!((1..self.r1cs.wires as usize).contains(&wire));
        Linear::wire(wire as u32)
    }

    fn solve<const F: usize, const W: usize, const E: usize>(
        &mut self,
        _: [&Linear; F],
        _: impl FnOnce([Fr; F]) -> ([Fr; W], [Fr; E]),
        express: impl FnOnce([Linear; W]) -> [Linear; E],
    ) -> [Linear; E] {
        express(std::array::from_fn(|_| Linear::wire(self.r1cs.add_wire())))
    }

    fn list(&mut self, _: &Linear, count: usize, _: impl FnOnce(Fr) -> Vec<Fr>) -> Vec<Linear> {
        (0..count).map(|_| Linear::wire(self.r1cs.add_wire())).collect()
    }

    fn constrain(&mut self, form: impl FnOnce() -> [Linear; 3]) {
        let [a, b, c] = form();
        self.r1cs.add_constraint(a.terms(), b.terms(), c.terms());
    }

    fn demand(&mut self, a: Linear, b: Linear, c: Linear, _: impl FnOnce() -> String) {
        self.constrain(|| [a, b, c]);
    }
}

/// Computes the wires, and keeps the first clause that does not hold.
pub struct Values {
    wires: Vec<Fr>,
    broken: Option<String>,
}

impl Values {
    /// `inputs`: the values of wires 1, 2, …; `capacity`: how many wires there will be.
    pub fn new(inputs: impl IntoIterator<Item = Fr>, capacity: usize) -> Self {
        let mut wires = Vec::with_capacity(capacity);
        wires.push(Fr::one());
        wires.extend(inputs);
        Values { wires, broken: None }
    }

    /// All wires, or the first clause that does not hold.
    pub fn finish(self) -> Result<Vec<Fr>, String> {
        self.broken.map_or(Ok(self.wires), Err)
    }
}

impl Builder for Values {
    type Num = Fr;

    fn input(&self, wire: usize) -> Fr {
        self.wires[wire]
    }

    fn solve<const F: usize, const W: usize, const E: usize>(
        &mut self,
        from: [&Fr; F],
        compute: impl FnOnce([Fr; F]) -> ([Fr; W], [Fr; E]),
        _: impl FnOnce([Fr; W]) -> [Fr; E],
    ) -> [Fr; E] {
        let (wires, forms) = compute(from.map(|value| *value));
        self.wires.extend_from_slice(&wires);
        forms
    }

    fn list(&mut self, from: &Fr, count: usize, compute: impl FnOnce(Fr) -> Vec<Fr>) -> Vec<Fr> {
        let wires = compute(*from);
        assert_eq!(wires.len(), count, "a gadget computes the wires it announces");
        self.wires.extend_from_slice(&wires);
        wires
    }

    fn constrain(&mut self, _: impl FnOnce() -> [Fr; 3]) {}

    fn demand(&mut self, a: Fr, b: Fr, c: Fr, clause: impl FnOnce() -> String) {
        if self.broken.is_none() && a * b != c {
            self.broken = Some(clause());
        }
    }
}

#[cfg(test)]
impl Values {
    /// All wires, whether or not they prove anything.
    pub fn into_wires(self) -> Vec<Fr> {
        self.wires
    }
}
