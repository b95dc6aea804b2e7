//! A proof from a proving key and a witness (proofs.md 5.1). It is verified before it leaves.

use ark_bn254::{Fr, G1Projective, G2Projective};
use ark_ec::CurveGroup;
use ark_ff::{BigInt, Field, One, Zero};
use rayon::prelude::*;

use crate::bytes::limbs_of_le;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::msm;
use crate::ntt::{self, Domain};
use crate::proof::Proof;
use crate::seed::Stream;
use crate::verify::Verifier;
use crate::zkey::{CoefficientBytes, ProvingKey};

/// The proof, and the public inputs that it is about.
///
/// `seed` blinds the proof and must be random: whoever knows it can test guesses of the witness.
///
/// # Errors
/// `Malformed` when the witness has not as many wires as the key; `BadKey` when a coefficient of
/// the key names a wire or a constraint that does not exist; `WitnessDoesNotSatisfy` when the proof
/// does not verify; `Cancelled` soon after the flag is set.
pub fn prove(
    key: &ProvingKey,
    verifier: &Verifier,
    witness: &[Fr],
    seed: &[u8; 64],
    cancel: &Cancel,
) -> Result<(Proof, Vec<Fr>)> {
    if witness.len() != key.wires() || !witness[0].is_one() {
        return Err(Error::Malformed(format!(
            "the key is for a witness of {} wires that begins with one, not for one of {}",
            key.wires(),
            witness.len()
        )));
    }
    let sums = Sums::new(key, witness, cancel)?;
    let mut stream = Stream::new("quire proof", seed);
    let proof = sums.blinded(key, stream.scalar(), stream.scalar());
    let public = witness[1..=key.public_count()].to_vec();
    cancel.check()?;
    if !verifier.verify(&public, &proof)? {
        return Err(Error::WitnessDoesNotSatisfy(
            "the proof does not verify: the witness does not satisfy the circuit, or the key is damaged or of \
             another circuit"
                .into(),
        ));
    }
    Ok((proof, public))
}

/// The five sums over all wires.
struct Sums {
    a: G1Projective,
    b1: G1Projective,
    b2: G2Projective,
    c: G1Projective,
    h: G1Projective,
}

impl Sums {
    fn new(key: &ProvingKey, witness: &[Fr], cancel: &Cancel) -> Result<Self> {
        let quotient = quotient(key, witness, cancel)?;
        let private = &witness[key.public_count() + 1..];
        let ((b2, h), ((a, b1), c)) = rayon::join(
            || rayon::join(|| msm::g2(key.b2(), witness, cancel), || msm::g1(key.h(), &quotient, cancel)),
            || {
                rayon::join(
                    || rayon::join(|| msm::g1(key.a(), witness, cancel), || msm::g1(key.b1(), witness, cancel)),
                    || msm::g1(key.c(), private, cancel),
                )
            },
        );
        Ok(Sums { a: a?, b1: b1?, b2: b2?, c: c?, h: h? })
    }

    fn blinded(self, key: &ProvingKey, r: Fr, s: Fr) -> Proof {
        let header = key.header();
        let a = self.a + header.vk.alpha + header.delta1 * r;
        let b1 = self.b1 + header.beta1 + header.delta1 * s;
        let b2 = self.b2 + header.vk.beta + header.vk.delta * s;
        let c = self.c + self.h + a * s + b1 * r - header.delta1 * (r * s);
        Proof { a: a.into_affine(), b: b2.into_affine(), c: c.into_affine() }
    }
}

/// `A(x)B(x) - C(x)` at the odd roots of the domain of twice the size, in standard order.
fn quotient(key: &ProvingKey, witness: &[Fr], cancel: &Cancel) -> Result<Vec<Fr>> {
    let (a, b) = rayon::join(|| evaluate(key, 0, witness), || evaluate(key, 1, witness));
    let (mut a, mut b) = (a?, b?);
    let mut c: Vec<Fr> = a.par_iter().zip(&b).map(|(a, b)| *a * b).collect();
    let domain = Domain::new(key.domain());
    let size = Fr::from(key.domain() as u64);
    let shift = ntt::root_of_unity(key.domain().trailing_zeros() + 1);
    let shifts = ntt::powers(size.inverse().unwrap_or(Fr::one()), shift, key.domain());
    [&mut a, &mut b, &mut c].into_par_iter().try_for_each(|values| {
        cancel.check()?;
        domain.to_coefficients(values);
        ntt::scale(values, &shifts);
        cancel.check()?;
        domain.to_values(values);
        Ok::<_, Error>(())
    })?;
    a.par_iter_mut().zip(&b).zip(&c).for_each(|((a, b), c)| *a = *a * b - c);
    Ok(a)
}

/// One of the matrices (0 is A, 1 is B) times the witness.
fn evaluate(key: &ProvingKey, matrix: u32, witness: &[Fr]) -> Result<Vec<Fr>> {
    let mut out = vec![Fr::zero(); key.domain()];
    for coefficient in key.coefficients() {
        let (which, constraint, wire, value) = parts(coefficient);
        let (Some(place), Some(wire)) = (out.get_mut(constraint), witness.get(wire)) else {
            return Err(Error::BadKey(format!("a coefficient of the key is at constraint {constraint}, wire {wire}")));
        };
        if which == matrix {
            // A value v is stored as v·R²; this is v·w·R², and the last step below takes an R away.
            *place += value * wire;
        }
    }
    let one_over_r = Fr::new_unchecked(BigInt::one());
    for value in &mut out {
        *value *= one_over_r;
    }
    Ok(out)
}

fn parts(bytes: &CoefficientBytes) -> (u32, usize, usize, Fr) {
    let (numbers, value) = bytes.split_first_chunk::<12>().expect("44 bytes");
    let (numbers, _) = numbers.as_chunks::<4>();
    let [matrix, constraint, wire] = [0, 1, 2].map(|i| u32::from_le_bytes(numbers[i]));
    let value = Fr::new_unchecked(BigInt(limbs_of_le(&value.as_chunks().0[0])));
    (matrix, constraint as usize, wire as usize, value)
}
