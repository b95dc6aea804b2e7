//! Verification of one proof: `e(A, B) = e(alpha, beta) · e(inputs, gamma) · e(C, delta)`.

use ark_bn254::{Bn254, Fr, G1Affine, G1Projective};
use ark_ec::bn::G2Prepared;
use ark_ec::pairing::{Pairing, PairingOutput};
use ark_ec::{AffineRepr, CurveGroup};

use crate::error::{Error, Result};
use crate::proof::Proof;
use crate::vk::VerifyingKey;

pub(crate) type Lines = G2Prepared<ark_bn254::Config>;

/// A verifying key with the work done that is the same for all proofs.
#[derive(Debug, Clone)]
pub struct Verifier {
    key: VerifyingKey,
    alpha_beta: PairingOutput<Bn254>,
    pub(crate) gamma: Lines,
    pub(crate) delta: Lines,
    pub(crate) beta: Lines,
}

impl Verifier {
    pub fn new(key: VerifyingKey) -> Self {
        Verifier {
            alpha_beta: Bn254::pairing(key.alpha, key.beta),
            gamma: Lines::from(key.gamma),
            delta: Lines::from(key.delta),
            beta: Lines::from(key.beta),
            key,
        }
    }

    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// # Errors
    /// `BadProof` when there are not as many public inputs as the key has.
    pub fn check_count(&self, public: &[Fr]) -> Result<()> {
        let expected = self.key.public_count();
        if public.len() == expected {
            return Ok(());
        }
        Err(Error::BadProof(format!("{} public inputs were given to a key of {expected}", public.len())))
    }

    /// The sum of the input points, each times its public input.
    pub(crate) fn inputs(&self, public: &[Fr]) -> G1Projective {
        let mut sum = self.key.inputs[0].into_group();
        for (point, value) in self.key.inputs[1..].iter().zip(public) {
            sum += *point * value;
        }
        sum
    }

    /// Whether the proof holds for these public inputs.
    ///
    /// # Errors
    /// `BadProof` when there are not as many public inputs as the key has.
    pub fn verify(&self, public: &[Fr], proof: &Proof) -> Result<bool> {
        self.check_count(public)?;
        let inputs = -self.inputs(public).into_affine();
        let left: [G1Affine; 3] = [proof.a, inputs, -proof.c];
        let right = [Lines::from(proof.b), self.gamma.clone(), self.delta.clone()];
        Ok(Bn254::final_exponentiation(Bn254::multi_miller_loop(left, right)) == Some(self.alpha_beta))
    }
}
