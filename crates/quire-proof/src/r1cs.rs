//! A circuit as a list of constraints `A·w * B·w = C·w`, and the `.r1cs` file of circom.
//!
//! Wire 0 is the constant one; then outputs, public inputs, private inputs, and the rest. The terms
//! of all constraints stand in three flat matrices; a circuit of a million constraints has a few
//! thousand distinct coefficients, so a term holds a number into a pool of them.

use std::collections::HashMap;
use std::io::Write;

use ark_bn254::Fr;
use ark_ff::One;
use rayon::prelude::*;

use crate::bytes::{self, ELEMENT_BYTES, Reader};
use crate::error::{Error, Result};

const WHAT: &str = "the .r1cs file";
const MAGIC: &[u8; 4] = b"r1cs";
const HEADER: u32 = 1;
const CONSTRAINTS: u32 = 2;
const LABELS: u32 = 3;
const HEADER_BYTES: usize = 4 + ELEMENT_BYTES + 4 * 4 + 8 + 4;
const TERM_BYTES: usize = 4 + ELEMENT_BYTES;

/// One of the three linear forms of every constraint.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Matrix {
    /// Where the terms of each constraint end.
    ends: Vec<u32>,
    wires: Vec<u32>,
    /// Numbers into the pool of coefficients.
    values: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    A,
    B,
    C,
}

pub const FORMS: [Form; 3] = [Form::A, Form::B, Form::C];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct R1cs {
    pub outputs: u32,
    pub public_inputs: u32,
    pub private_inputs: u32,
    pub wires: u32,
    pub labels: u64,
    forms: [Matrix; 3],
    pool: Pool,
}

/// Distinct coefficients in the order in which they first appeared.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Pool {
    values: Vec<Fr>,
    numbers: HashMap<Fr, u32>,
}

impl Pool {
    fn number(&mut self, value: Fr) -> u32 {
        let next = self.values.len() as u32;
        let number = *self.numbers.entry(value).or_insert(next);
        if number == next {
            self.values.push(value);
        }
        number
    }
}

impl R1cs {
    /// A circuit without constraints, whose wires are the constant and the inputs and outputs.
    pub fn new(outputs: u32, public_inputs: u32, private_inputs: u32) -> Self {
        let wires = 1 + outputs + public_inputs + private_inputs;
        R1cs {
            outputs,
            public_inputs,
            private_inputs,
            wires,
            labels: u64::from(wires),
            forms: Default::default(),
            pool: Pool::default(),
        }
    }

    /// Outputs and public inputs, which is what a verifier sees.
    pub fn public_count(&self) -> usize {
        self.outputs as usize + self.public_inputs as usize
    }

    pub fn constraint_count(&self) -> usize {
        self.forms[0].ends.len()
    }

    /// Terms of one form over all constraints.
    pub fn term_count(&self, form: Form) -> usize {
        self.forms[form as usize].wires.len()
    }

    /// One more wire; its number.
    pub fn add_wire(&mut self) -> u32 {
        self.wires += 1;
        self.labels += 1;
        self.wires - 1
    }

    /// One more constraint `a * b = c`.
    ///
    /// # Panics
    /// When a term names a wire that the circuit does not have.
    pub fn add_constraint(&mut self, a: &[(u32, Fr)], b: &[(u32, Fr)], c: &[(u32, Fr)]) {
        for (form, terms) in [a, b, c].into_iter().enumerate() {
            for (wire, value) in terms {
                assert!(*wire < self.wires, "wire {wire} of {}", self.wires);
                self.push_term(form, *wire, *value);
            }
            self.close(form);
        }
    }

    fn push_term(&mut self, form: usize, wire: u32, value: Fr) {
        let number = self.pool.number(value);
        self.forms[form].wires.push(wire);
        self.forms[form].values.push(number);
    }

    fn close(&mut self, form: usize) {
        let end = self.forms[form].wires.len() as u32;
        self.forms[form].ends.push(end);
    }

    /// The terms `(wire, coefficient)` of one form of a constraint.
    pub fn terms(&self, form: Form, constraint: usize) -> impl Iterator<Item = (u32, Fr)> + '_ {
        let matrix = &self.forms[form as usize];
        let start = if constraint == 0 { 0 } else { matrix.ends[constraint - 1] as usize };
        let range = start..matrix.ends[constraint] as usize;
        let values = matrix.values[range.clone()].iter().map(|number| self.pool.values[*number as usize]);
        matrix.wires[range].iter().copied().zip(values)
    }

    fn evaluate(&self, form: Form, constraint: usize, witness: &[Fr]) -> Fr {
        self.terms(form, constraint).map(|(wire, value)| value * witness[wire as usize]).sum()
    }

    /// The first constraint that the witness does not satisfy.
    ///
    /// # Errors
    /// `Malformed` when the witness has another number of wires, or wire 0 is not one.
    pub fn first_violation(&self, witness: &[Fr]) -> Result<Option<usize>> {
        if witness.len() != self.wires as usize || witness[0] != Fr::one() {
            return Err(Error::Malformed(format!(
                "a witness of {} wires that begins with one was expected, not one of {} wires",
                self.wires,
                witness.len()
            )));
        }
        Ok((0..self.constraint_count()).into_par_iter().find_first(|index| {
            let [a, b, c] = FORMS.map(|form| self.evaluate(form, *index, witness));
            a * b != c
        }))
    }

    /// Reads a `.r1cs` file, version 1. Sections other than the header and the constraints are
    /// not looked into.
    pub fn read(file: &[u8]) -> Result<Self> {
        let sections = bytes::sections(file, MAGIC, 1, WHAT)?;
        let (mut r1cs, constraints) = read_header(bytes::section(&sections, HEADER, WHAT)?)?;
        let body = bytes::section(&sections, CONSTRAINTS, WHAT)?;
        // Each constraint takes three counts at least, which bounds what a false header can ask for.
        if constraints as usize > body.len() / 12 {
            return Err(Error::Malformed(format!("{WHAT} is too short for {constraints} constraints")));
        }
        let mut reader = Reader::new(body, WHAT);
        for _ in 0..constraints {
            for form in 0..FORMS.len() {
                r1cs.read_terms(&mut reader, form)?;
            }
        }
        reader.end()?;
        Ok(r1cs)
    }

    fn read_terms(&mut self, reader: &mut Reader<'_>, form: usize) -> Result<()> {
        let count = reader.u32()? as usize;
        let terms = reader.take(count.saturating_mul(TERM_BYTES))?;
        for term in terms.as_chunks::<TERM_BYTES>().0 {
            let mut term = Reader::new(term, WHAT);
            let wire = term.u32()?;
            if wire >= self.wires {
                return Err(Error::Malformed(format!("{WHAT} names wire {wire} of {}", self.wires)));
            }
            let value = bytes::from_le(term.element()?)
                .ok_or_else(|| Error::Malformed(format!("{WHAT} has a coefficient above the order of the field")))?;
            self.push_term(form, wire, value);
        }
        self.close(form);
        Ok(())
    }

    /// Writes the `.r1cs` file, version 1; the same circuit always gives the same bytes.
    pub fn write(&self, out: &mut impl Write) -> Result<()> {
        bytes::write_head(out, MAGIC, 1, 3)?;
        self.write_header(out)?;
        self.write_constraints(out)?;
        bytes::write_section(out, LABELS, 8 * u64::from(self.wires))?;
        for wire in 0..u64::from(self.wires) {
            out.write_all(&wire.to_le_bytes())?;
        }
        Ok(())
    }

    fn write_header(&self, out: &mut impl Write) -> Result<()> {
        bytes::write_section(out, HEADER, HEADER_BYTES as u64)?;
        out.write_all(&(ELEMENT_BYTES as u32).to_le_bytes())?;
        out.write_all(&bytes::modulus_le::<Fr>())?;
        for count in [self.wires, self.outputs, self.public_inputs, self.private_inputs] {
            out.write_all(&count.to_le_bytes())?;
        }
        out.write_all(&self.labels.to_le_bytes())?;
        Ok(out.write_all(&(self.constraint_count() as u32).to_le_bytes())?)
    }

    fn write_constraints(&self, out: &mut impl Write) -> Result<()> {
        let terms: usize = FORMS.iter().map(|form| self.term_count(*form)).sum();
        bytes::write_section(out, CONSTRAINTS, (12 * self.constraint_count() + TERM_BYTES * terms) as u64)?;
        let values: Vec<_> = self.pool.values.iter().map(bytes::to_le).collect();
        let mut starts = [0usize; 3];
        for constraint in 0..self.constraint_count() {
            for (matrix, start) in self.forms.iter().zip(&mut starts) {
                let range = *start..matrix.ends[constraint] as usize;
                out.write_all(&(range.len() as u32).to_le_bytes())?;
                for place in range.clone() {
                    out.write_all(&matrix.wires[place].to_le_bytes())?;
                    out.write_all(&values[matrix.values[place] as usize])?;
                }
                *start = range.end;
            }
        }
        Ok(())
    }
}

/// A circuit of no constraints, and how many are announced.
fn read_header(section: &[u8]) -> Result<(R1cs, u32)> {
    let mut header = Reader::new(section, WHAT);
    if header.u32()? as usize != ELEMENT_BYTES || header.element()? != &bytes::modulus_le::<Fr>() {
        return Err(Error::Malformed(format!("{WHAT} is over another field than that of BN254")));
    }
    let wires = header.u32()?;
    let [outputs, public_inputs, private_inputs] = [header.u32()?, header.u32()?, header.u32()?];
    let named = 1 + u64::from(outputs) + u64::from(public_inputs) + u64::from(private_inputs);
    if named > u64::from(wires) {
        return Err(Error::Malformed(format!("{WHAT} has {wires} wires and {named} inputs and outputs")));
    }
    let mut r1cs = R1cs::new(outputs, public_inputs, private_inputs);
    r1cs.wires = wires;
    r1cs.labels = header.u64()?;
    let constraints = header.u32()?;
    header.end()?;
    Ok((r1cs, constraints))
}

#[cfg(test)]
mod tests {
    use ark_ff::Zero;

    use super::*;

    /// x * x = y, y * x = out: the output is the cube of the private input.
    fn cube() -> R1cs {
        let mut r1cs = R1cs::new(1, 0, 1);
        let y = r1cs.add_wire();
        let one = Fr::one();
        r1cs.add_constraint(&[(2, one)], &[(2, one)], &[(y, one)]);
        r1cs.add_constraint(&[(y, one)], &[(2, one)], &[(1, one)]);
        r1cs
    }

    fn written(r1cs: &R1cs) -> Vec<u8> {
        let mut out = Vec::new();
        r1cs.write(&mut out).unwrap();
        out
    }

    #[test]
    fn a_circuit_comes_back_from_its_file() {
        let r1cs = cube();
        assert_eq!(R1cs::read(&written(&r1cs)).unwrap(), r1cs);
    }

    #[test]
    fn a_witness_is_checked_against_every_constraint() {
        let numbers = |list: [u64; 4]| list.map(Fr::from).to_vec();
        assert_eq!(cube().first_violation(&numbers([1, 27, 3, 9])).unwrap(), None);
        assert_eq!(cube().first_violation(&numbers([1, 28, 3, 9])).unwrap(), Some(1));
        assert_eq!(cube().first_violation(&numbers([1, 27, 3, 8])).unwrap(), Some(0));
        assert!(cube().first_violation(&[Fr::zero(); 4]).is_err());
        assert!(cube().first_violation(&[Fr::one(); 3]).is_err());
    }

    #[test]
    fn a_file_cut_at_any_byte_is_refused() {
        let file = written(&cube());
        for end in 0..file.len() {
            assert!(R1cs::read(&file[..end]).is_err(), "cut at {end}");
        }
        assert!(R1cs::read(&[file.as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn a_header_that_promises_too_much_is_refused() {
        let file = written(&cube());
        let constraints = 24 + HEADER_BYTES - 4;
        for (place, value) in [(constraints, u32::MAX), (constraints, 3), (4, 2), (24 + 4, 0), (24 + 36, 2)] {
            let mut bad = file.clone();
            bad[place..place + 4].copy_from_slice(&value.to_le_bytes());
            assert!(R1cs::read(&bad).is_err(), "{value} at {place}");
        }
    }

    #[test]
    fn a_wire_or_a_coefficient_out_of_range_is_refused() {
        let file = written(&cube());
        let first_term = 24 + HEADER_BYTES + 12 + 4;
        let mut bad = file.clone();
        bad[first_term] = 4;
        assert!(R1cs::read(&bad).is_err());
        let mut bad = file;
        bad[first_term + 4..first_term + TERM_BYTES].copy_from_slice(&bytes::modulus_le::<Fr>());
        assert!(R1cs::read(&bad).is_err());
    }
}
