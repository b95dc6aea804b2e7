//! A proof from a proving key and a witness (proofs.md 5.1). It is verified before it leaves.

use ark_bn254::{Fr, G1Projective, G2Projective};
use ark_ec::CurveGroup;
use ark_ff::{BigInt, One, Zero};

use crate::addition::Machine;
use crate::bytes::limbs_of_le;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::msm::{self, Digits};
use crate::proof::Proof;
use crate::quotient;
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
        let quotient = Digits::of_numbers(quotient_of(key, witness, cancel)?);
        let witness = Digits::new(witness);
        let private = key.public_count() + 1;
        let ((b2, h), ((a, b1), c)) = rayon::join(
            || rayon::join(|| msm::g2(key.b2(), &witness, 0, cancel), || msm::g1(key.h(), &quotient, 0, cancel)),
            || {
                rayon::join(
                    || rayon::join(|| msm::g1(key.a(), &witness, 0, cancel), || msm::g1(key.b1(), &witness, 0, cancel)),
                    || msm::g1(key.c(), &witness, private, cancel),
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

/// What is left of `A·B - C` when the polynomial of the domain is divided out.
fn quotient_of(key: &ProvingKey, witness: &[Fr], cancel: &Cancel) -> Result<Vec<[u64; 4]>> {
    let (a, b) = rayon::join(|| evaluate(key, 0, witness), || evaluate(key, 1, witness));
    cancel.check()?;
    quotient::quotient(Machine::best(), a?, b?, cancel)
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
