//! Development keys: the whole set-up from one seed (proofs.md 5.3).
//!
//! Whoever knows the seed can prove anything. Such a key is for tests and private networks only,
//! and carries [`crate::zkey::UNSAFE_MARK`].

use std::io::Write;
use std::path::Path;

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, Zero};
use sha2::{Digest, Sha256};

use crate::addition::{G1, G2, Machine};
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::fixed_base::Table;
use crate::ntt::{self, Domain};
use crate::part_file::write_whole;
use crate::r1cs::{FORMS, Form, R1cs};
use crate::seed::Stream;
use crate::vk::VerifyingKey;
use crate::zkey::{CIRCUIT_HASH_BYTES, MAX_DOMAIN, UNSAFE_MARK, number};
use crate::zkey_writer::{self, Head};

/// What nobody may know of a real key.
struct Secrets {
    tau: Fr,
    alpha: Fr,
    beta: Fr,
    delta: Fr,
}

/// Scalars of the points of each section.
struct Scalars {
    inputs: Vec<Fr>,
    a: Vec<Fr>,
    b: Vec<Fr>,
    c: Vec<Fr>,
    h: Vec<Fr>,
}

/// How far a set-up is, in points made and to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub done: usize,
    pub total: usize,
}

/// Makes the key for a `.r1cs` file that was read; gives its verifying key.
///
/// The file appears whole or not at all. The same circuit and seed always give the same bytes.
///
/// # Errors
/// `Malformed` when the circuit is too large for the field; `Cancelled`; `Io`.
pub fn development_key(
    r1cs_file: &[u8],
    path: &Path,
    seed: &[u8; 32],
    cancel: &Cancel,
    progress: impl FnMut(Progress),
) -> Result<VerifyingKey> {
    let r1cs = R1cs::read(r1cs_file)?;
    let mut hash = [0; CIRCUIT_HASH_BYTES];
    hash[..32].copy_from_slice(&Sha256::digest(r1cs_file));
    hash[32..].copy_from_slice(UNSAFE_MARK);
    write_whole(path, |out| write_key(&r1cs, &hash, out, seed, cancel, progress))
}

fn write_key(
    r1cs: &R1cs,
    circuit_hash: &[u8; CIRCUIT_HASH_BYTES],
    out: &mut impl Write,
    seed: &[u8; 32],
    cancel: &Cancel,
    mut progress: impl FnMut(Progress),
) -> Result<VerifyingKey> {
    let domain = domain_of(r1cs)?;
    let secrets = Secrets::new(seed, domain);
    let scalars = Scalars::new(r1cs, &secrets, domain);
    cancel.check()?;
    let g1 = G1Affine::generator();
    let g2 = G2Affine::generator();
    let inputs = scalars.inputs.iter().map(|scalar| (g1 * scalar).into_affine()).collect();
    let vk = VerifyingKey {
        alpha: (g1 * secrets.alpha).into_affine(),
        beta: (g2 * secrets.beta).into_affine(),
        gamma: g2,
        delta: (g2 * secrets.delta).into_affine(),
        inputs,
    };
    let head = Head {
        wires: r1cs.wires,
        domain: domain as u32,
        vk: &vk,
        beta1: (g1 * secrets.beta).into_affine(),
        delta1: (g1 * secrets.delta).into_affine(),
    };
    zkey_writer::write_head(out, &head)?;
    zkey_writer::write_coefficients(out, r1cs)?;
    let total = 4 * scalars.a.len() - scalars.inputs.len() + domain;
    let mut done = 0;
    let mut report = |count: usize| {
        done += count;
        progress(Progress { done, total });
    };
    let table = Table::<G1>::new(Machine::best(), g1);
    zkey_writer::write_g1(out, number::A, &table.multiples(&scalars.a, cancel, &mut report)?)?;
    zkey_writer::write_g1(out, number::B1, &table.multiples(&scalars.b, cancel, &mut report)?)?;
    let table2 = Table::<G2>::new(Machine::best(), g2);
    zkey_writer::write_g2(out, number::B2, &table2.multiples(&scalars.b, cancel, &mut report)?)?;
    zkey_writer::write_g1(out, number::C, &table.multiples(&scalars.c, cancel, &mut report)?)?;
    zkey_writer::write_g1(out, number::H, &table.multiples(&scalars.h, cancel, &mut report)?)?;
    zkey_writer::write_circuit(out, circuit_hash)?;
    Ok(vk)
}

fn domain_of(r1cs: &R1cs) -> Result<usize> {
    let rows = r1cs.constraint_count() + r1cs.public_count() + 1;
    let domain = rows.next_power_of_two();
    if domain > MAX_DOMAIN as usize {
        return Err(Error::Malformed(format!("a circuit of {} constraints is too large", r1cs.constraint_count())));
    }
    Ok(domain)
}

impl Secrets {
    fn new(seed: &[u8; 32], domain: usize) -> Self {
        let mut stream = Stream::new("quire unsafe development key", seed);
        let mut tau = stream.nonzero_scalar();
        // A root of the domain would make the key degenerate.
        while tau.pow([2 * domain as u64]) == Fr::ONE {
            tau = stream.nonzero_scalar();
        }
        Secrets { tau, alpha: stream.nonzero_scalar(), beta: stream.nonzero_scalar(), delta: stream.nonzero_scalar() }
    }
}

impl Scalars {
    fn new(r1cs: &R1cs, secrets: &Secrets, domain: usize) -> Self {
        let lagrange = ntt::lagrange_at(secrets.tau, domain);
        let [mut a, b, c] = FORMS.map(|form| columns(r1cs, form, &lagrange));
        let bound = r1cs.public_count() + 1;
        for (value, at_tau) in a.iter_mut().zip(&lagrange[r1cs.constraint_count()..]).take(bound) {
            *value += at_tau;
        }
        let by_delta = secrets.delta.inverse().expect("delta is not zero");
        let wires = a.iter().zip(&b).zip(&c);
        let mut inputs: Vec<Fr> = wires.map(|((a, b), c)| secrets.beta * a + secrets.alpha * b + c).collect();
        let private = inputs.split_off(bound).into_iter().map(|value| value * by_delta).collect();
        Scalars { inputs, a, b, c: private, h: quotient_basis(secrets.tau, by_delta, domain) }
    }
}

/// Each wire's polynomial at tau.
fn columns(r1cs: &R1cs, form: Form, lagrange: &[Fr]) -> Vec<Fr> {
    let mut out = vec![Fr::zero(); r1cs.wires as usize];
    for (constraint, at_tau) in lagrange[..r1cs.constraint_count()].iter().enumerate() {
        for (wire, value) in r1cs.terms(form, constraint) {
            out[wire as usize] += value * at_tau;
        }
    }
    out
}

/// What each value of the quotient at an odd root of order 2·domain contributes at tau: the odd
/// coefficients of the inverse transform of `tau^j / delta`, the last of which counts as zero.
fn quotient_basis(tau: Fr, by_delta: Fr, domain: usize) -> Vec<Fr> {
    let mut row = ntt::powers(by_delta, tau, 2 * domain);
    row[2 * domain - 1] = Fr::zero();
    Domain::new(2 * domain).to_coefficients(&mut row);
    let size = Fr::from(2 * domain as u64).inverse().expect("a power of two is not zero");
    let log = (2 * domain).trailing_zeros();
    (0..domain).map(|index| row[ntt::reversed(2 * index + 1, log)] * size).collect()
}
