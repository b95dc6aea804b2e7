//! The `.wtns` file of circom and snarkjs: the value of every wire.

use std::io::Write;

use ark_bn254::Fr;
use ark_ff::One;

use crate::bytes::{self, ELEMENT_BYTES, Reader};
use crate::error::{Error, Result};

const WHAT: &str = "the .wtns file";
const MAGIC: &[u8; 4] = b"wtns";
const VERSION: u32 = 2;
const HEADER: u32 = 1;
const VALUES: u32 = 2;
const HEADER_BYTES: u64 = 4 + ELEMENT_BYTES as u64 + 4;

/// # Errors
/// `Malformed` for a file that is cut off or too long, over another field, with a value that is
/// not below the order, or whose wire 0 is not one.
pub fn read(file: &[u8]) -> Result<Vec<Fr>> {
    let sections = bytes::sections(file, MAGIC, VERSION, WHAT)?;
    let mut header = Reader::new(bytes::section(&sections, HEADER, WHAT)?, WHAT);
    if header.u32()? as usize != ELEMENT_BYTES || header.element()? != &bytes::modulus_le::<Fr>() {
        return Err(Error::Malformed(format!("{WHAT} is over another field than that of BN254")));
    }
    let count = header.u32()? as usize;
    header.end()?;
    let (values, rest) = bytes::section(&sections, VALUES, WHAT)?.as_chunks::<ELEMENT_BYTES>();
    if values.len() != count || !rest.is_empty() {
        return Err(Error::Malformed(format!("{WHAT} announces {count} wires and has {}", values.len())));
    }
    let numbered = values.iter().enumerate();
    let witness = numbered
        .map(|(wire, value)| {
            bytes::from_le(value)
                .ok_or_else(|| Error::Malformed(format!("wire {wire} of {WHAT} is not below the order of the field")))
        })
        .collect::<Result<Vec<Fr>>>()?;
    if witness.first() != Some(&Fr::one()) {
        return Err(Error::Malformed(format!("wire 0 of {WHAT} is not one")));
    }
    Ok(witness)
}

pub fn write(witness: &[Fr], out: &mut impl Write) -> Result<()> {
    bytes::write_head(out, MAGIC, VERSION, 2)?;
    bytes::write_section(out, HEADER, HEADER_BYTES)?;
    out.write_all(&(ELEMENT_BYTES as u32).to_le_bytes())?;
    out.write_all(&bytes::modulus_le::<Fr>())?;
    out.write_all(&(witness.len() as u32).to_le_bytes())?;
    bytes::write_section(out, VALUES, (ELEMENT_BYTES * witness.len()) as u64)?;
    for value in witness {
        out.write_all(&bytes::to_le(value))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Vec<u8> {
        let mut out = Vec::new();
        write(&[Fr::one(), Fr::from(7u64), -Fr::one()], &mut out).unwrap();
        out
    }

    #[test]
    fn a_witness_comes_back_from_its_file() {
        assert_eq!(read(&file()).unwrap(), [Fr::one(), Fr::from(7u64), -Fr::one()]);
    }

    #[test]
    fn a_file_cut_at_any_byte_is_refused() {
        for end in 0..file().len() {
            assert!(read(&file()[..end]).is_err(), "cut at {end}");
        }
        assert!(read(&[file().as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn a_value_above_the_order_and_a_first_wire_that_is_not_one_are_refused() {
        let first = file().len() - 3 * ELEMENT_BYTES;
        for (place, word) in [(first, [0; 32]), (first + 32, bytes::modulus_le::<Fr>())] {
            let mut bad = file();
            bad[place..place + 32].copy_from_slice(&word);
            assert!(read(&bad).is_err());
        }
    }
}
