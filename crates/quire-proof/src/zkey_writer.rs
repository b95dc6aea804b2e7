//! Writes a `.zkey` file, section by section.

use std::io::Write;

use ark_bn254::{Fq, Fr, G1Affine, G2Affine};

use crate::bytes::{self, ELEMENT_BYTES};
use crate::error::Result;
use crate::points::{self, G1_BYTES, G1Bytes, G2_BYTES, G2Bytes};
use crate::r1cs::{Form, R1cs};
use crate::vk::VerifyingKey;
use crate::zkey::{CIRCUIT_HASH_BYTES, COEFFICIENT_BYTES, GROTH16, MAGIC, number};

const SECTIONS: u32 = 10;
const HEADER_BYTES: usize = 2 * (4 + ELEMENT_BYTES) + 3 * 4 + 3 * (G1_BYTES + G2_BYTES);

/// What the head of a key says.
pub struct Head<'a> {
    pub wires: u32,
    pub domain: u32,
    pub vk: &'a VerifyingKey,
    pub beta1: G1Affine,
    pub delta1: G1Affine,
}

pub fn write_head(out: &mut impl Write, head: &Head<'_>) -> Result<()> {
    bytes::write_head(out, MAGIC, 1, SECTIONS)?;
    bytes::write_section(out, number::PROTOCOL, 4)?;
    out.write_all(&GROTH16.to_le_bytes())?;
    bytes::write_section(out, number::HEADER, HEADER_BYTES as u64)?;
    for modulus in [bytes::modulus_le::<Fq>(), bytes::modulus_le::<Fr>()] {
        out.write_all(&(ELEMENT_BYTES as u32).to_le_bytes())?;
        out.write_all(&modulus)?;
    }
    for count in [head.wires, head.vk.public_count() as u32, head.domain] {
        out.write_all(&count.to_le_bytes())?;
    }
    write_header_points(out, head)?;
    bytes::write_section(out, number::INPUTS, (G1_BYTES * head.vk.inputs.len()) as u64)?;
    for point in &head.vk.inputs {
        out.write_all(&points::g1_to(point))?;
    }
    Ok(())
}

fn write_header_points(out: &mut impl Write, head: &Head<'_>) -> Result<()> {
    let g2 = |point: &G2Affine| points::g2_to(point);
    out.write_all(&points::g1_to(&head.vk.alpha))?;
    out.write_all(&points::g1_to(&head.beta1))?;
    out.write_all(&g2(&head.vk.beta))?;
    out.write_all(&g2(&head.vk.gamma))?;
    out.write_all(&points::g1_to(&head.delta1))?;
    Ok(out.write_all(&g2(&head.vk.delta))?)
}

/// The terms of A and B, and the rows that bind the public inputs.
pub fn write_coefficients(out: &mut impl Write, r1cs: &R1cs) -> Result<()> {
    let bound = r1cs.public_count() + 1;
    let count = r1cs.term_count(Form::A) + r1cs.term_count(Form::B) + bound;
    bytes::write_section(out, number::COEFFICIENTS, 4 + (COEFFICIENT_BYTES * count) as u64)?;
    out.write_all(&(count as u32).to_le_bytes())?;
    for constraint in 0..r1cs.constraint_count() {
        for (matrix, form) in [Form::A, Form::B].into_iter().enumerate() {
            for (wire, value) in r1cs.terms(form, constraint) {
                write_coefficient(out, matrix as u32, constraint as u32, wire, value)?;
            }
        }
    }
    for wire in 0..bound as u32 {
        write_coefficient(out, 0, r1cs.constraint_count() as u32 + wire, wire, Fr::from(1u64))?;
    }
    Ok(())
}

fn write_coefficient(out: &mut impl Write, matrix: u32, constraint: u32, wire: u32, value: Fr) -> Result<()> {
    for number in [matrix, constraint, wire] {
        out.write_all(&number.to_le_bytes())?;
    }
    // Montgomery form twice: the number v·R, taken as a number, in Montgomery form.
    let twice = Fr::new(value.0);
    Ok(out.write_all(&bytes::limbs_to_le(&twice.0.0))?)
}

pub fn write_g1(out: &mut impl Write, number: u32, points: &[G1Bytes]) -> Result<()> {
    bytes::write_section(out, number, (G1_BYTES * points.len()) as u64)?;
    Ok(out.write_all(points.as_flattened())?)
}

pub fn write_g2(out: &mut impl Write, number: u32, points: &[G2Bytes]) -> Result<()> {
    bytes::write_section(out, number, (G2_BYTES * points.len()) as u64)?;
    Ok(out.write_all(points.as_flattened())?)
}

/// The circuit hash, and no contributions.
pub fn write_circuit(out: &mut impl Write, hash: &[u8; CIRCUIT_HASH_BYTES]) -> Result<()> {
    bytes::write_section(out, number::CIRCUIT, CIRCUIT_HASH_BYTES as u64 + 4)?;
    out.write_all(hash)?;
    Ok(out.write_all(&0u32.to_le_bytes())?)
}
