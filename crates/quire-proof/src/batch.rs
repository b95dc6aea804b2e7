//! Verification of many proofs under one key in n + 3 pairings, and of which ones are bad.
//!
//! With random short ρ_i the product of `e(ρ_i A_i, B_i)` must equal
//! `e(Σρ_i alpha, beta) · e(Σρ_i inputs_i, gamma) · e(Σρ_i C_i, delta)`; a batch with a bad proof
//! passes with probability 2^-128. Σρ_i inputs_i takes one sum of scalars for each input.

use std::ops::Range;

use ark_bn254::{Bn254, Fr, G1Projective};
use ark_ec::CurveGroup;
use ark_ec::pairing::{MillerLoopOutput, Pairing};
use ark_ff::{AdditiveGroup, Field};
use rayon::prelude::*;

use crate::cancel::Cancel;
use crate::error::Result;
use crate::proof::{self, Proof};
use crate::seed::Stream;
use crate::verify::{Lines, Verifier};

/// Proofs whose Miller loops share their squarings on one core.
const SHARED_LOOP: usize = 8;

type Gt = <Bn254 as Pairing>::TargetField;

/// The coefficients and what they make of each proof.
struct Weighted<'a> {
    verifier: &'a Verifier,
    items: &'a [(Vec<Fr>, Proof)],
    weights: Vec<Fr>,
}

/// The numbers of the proofs that do not hold, ascending.
///
/// `seed` must not be known to whoever made the proofs; the coefficients depend on the proofs too.
///
/// # Errors
/// `BadProof` when an item has not as many public inputs as the key; `Cancelled`.
pub fn verify_batch(
    verifier: &Verifier,
    items: &[(Vec<Fr>, Proof)],
    seed: &[u8; 32],
    cancel: &Cancel,
) -> Result<Vec<usize>> {
    for (public, _) in items {
        verifier.check_count(public)?;
    }
    let batch = Weighted::new(verifier, items, seed);
    let whole = 0..items.len();
    if batch.holds(whole.clone(), batch.loops(cancel)?) {
        return Ok(Vec::new());
    }
    let each = batch.each_loop(cancel)?;
    let mut bad = Vec::new();
    batch.search(whole, &each, &mut bad, cancel)?;
    Ok(bad)
}

impl<'a> Weighted<'a> {
    fn new(verifier: &'a Verifier, items: &'a [(Vec<Fr>, Proof)], seed: &[u8; 32]) -> Self {
        let mut stream = Stream::new("quire batch of proofs", seed);
        for (public, proof) in items {
            stream.absorb(&proof::public_to_bytes(public));
            stream.absorb(&proof.to_bytes());
        }
        let weights = items.iter().map(|_| Fr::from(stream.short() | 1)).collect();
        Weighted { verifier, items, weights }
    }

    fn left(&self, index: usize) -> G1Projective {
        self.items[index].1.a * self.weights[index]
    }

    /// The product of the Miller loops of all `(ρ_i A_i, B_i)`.
    fn loops(&self, cancel: &Cancel) -> Result<Gt> {
        let pieces: Vec<usize> = (0..self.items.len()).step_by(SHARED_LOOP).collect();
        let products = pieces.into_par_iter().map(|start| {
            cancel.check()?;
            let range = start..self.items.len().min(start + SHARED_LOOP);
            let left: Vec<G1Projective> = range.clone().map(|index| self.left(index)).collect();
            let right = range.map(|index| self.items[index].1.b);
            Ok(Bn254::multi_miller_loop(G1Projective::normalize_batch(&left), right).0)
        });
        products.try_reduce(|| Gt::ONE, |a, b| Ok(a * b))
    }

    /// The Miller loop of each `(ρ_i A_i, B_i)`.
    fn each_loop(&self, cancel: &Cancel) -> Result<Vec<Gt>> {
        let indices = (0..self.items.len()).into_par_iter();
        indices
            .map(|index| {
                cancel.check()?;
                Ok(Bn254::miller_loop(self.left(index).into_affine(), self.items[index].1.b).0)
            })
            .collect()
    }

    /// Whether the equation holds over a range, given the product of its Miller loops.
    fn holds(&self, range: Range<usize>, loops: Gt) -> bool {
        let key = self.verifier.key();
        let weights = &self.weights[range.clone()];
        let sum: Fr = weights.iter().sum();
        let mut inputs = key.inputs[0] * sum;
        for (number, point) in key.inputs[1..].iter().enumerate() {
            let scalar: Fr = range.clone().map(|index| self.weights[index] * self.items[index].0[number]).sum();
            inputs += *point * scalar;
        }
        let mut last = G1Projective::ZERO;
        for index in range {
            last += self.items[index].1.c * self.weights[index];
        }
        let left = [-(key.alpha * sum), -inputs, -last];
        let right: [Lines; 3] = [self.verifier.beta.clone(), self.verifier.gamma.clone(), self.verifier.delta.clone()];
        let rest = Bn254::multi_miller_loop(G1Projective::normalize_batch(&left), right).0;
        let product = Bn254::final_exponentiation(MillerLoopOutput(loops * rest));
        product.is_some_and(|output| output.0 == Gt::ONE)
    }

    /// Appends the bad ones of a range that is known to hold at least one.
    fn search(&self, range: Range<usize>, each: &[Gt], bad: &mut Vec<usize>, cancel: &Cancel) -> Result<()> {
        cancel.check()?;
        if range.len() == 1 {
            bad.push(range.start);
            return Ok(());
        }
        let middle = range.start + range.len() / 2;
        let [left, right] = [range.start..middle, middle..range.end];
        let product = |range: &Range<usize>| each[range.clone()].iter().product::<Gt>();
        let left_holds = self.holds(left.clone(), product(&left));
        if !left_holds {
            self.search(left, each, bad, cancel)?;
        }
        // A half that holds leaves the fault to the other.
        if left_holds || !self.holds(right.clone(), product(&right)) {
            self.search(right, each, bad, cancel)?;
        }
        Ok(())
    }
}
