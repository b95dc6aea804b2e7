//! Field elements as bytes, and the sections that `.r1cs`, `.wtns` and `.zkey` files are made of.
//!
//! A file is a magic of four bytes, a version, a count of sections, then each section as its
//! number, its length in eight bytes, and its bytes; all little-endian (proofs.md 5.1).

use std::io::Write;

use ark_ff::{BigInt, BigInteger, PrimeField};

use crate::error::{Error, Result};

pub const ELEMENT_BYTES: usize = 32;

/// Little-endian bytes of the standard form.
pub fn to_le<F: PrimeField<BigInt = BigInt<4>>>(value: &F) -> [u8; ELEMENT_BYTES] {
    limbs_to_le(&value.into_bigint().0)
}

/// The element that these little-endian bytes name; `None` when they are not below the order.
pub fn from_le<F: PrimeField<BigInt = BigInt<4>>>(bytes: &[u8; ELEMENT_BYTES]) -> Option<F> {
    F::from_bigint(BigInt(limbs_of_le(bytes)))
}

/// The order of the field as bytes.
pub fn modulus_le<F: PrimeField<BigInt = BigInt<4>>>() -> [u8; ELEMENT_BYTES] {
    let mut bytes = [0; ELEMENT_BYTES];
    bytes.copy_from_slice(&F::MODULUS.to_bytes_le());
    bytes
}

pub fn limbs_of_le(bytes: &[u8; ELEMENT_BYTES]) -> [u64; 4] {
    let (limbs, _) = bytes.as_chunks::<8>();
    [0, 1, 2, 3].map(|i| u64::from_le_bytes(limbs[i]))
}

pub fn limbs_to_le(limbs: &[u64; 4]) -> [u8; ELEMENT_BYTES] {
    let mut bytes = [0; ELEMENT_BYTES];
    for (place, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(limbs) {
        *place = limb.to_le_bytes();
    }
    bytes
}

/// Reads numbers off the front of a slice.
pub struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Reader { rest: bytes, what }
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((head, rest)) = self.rest.split_at_checked(count) else {
            return Err(Error::Malformed(format!("{} ends {} bytes early", self.what, count - self.rest.len())));
        };
        self.rest = rest;
        Ok(head)
    }

    pub fn u32(&mut self) -> Result<u32> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub fn u64(&mut self) -> Result<u64> {
        Ok(u64::from(self.u32()?) | u64::from(self.u32()?) << 32)
    }

    pub fn element(&mut self) -> Result<&'a [u8; ELEMENT_BYTES]> {
        Ok(&self.take(ELEMENT_BYTES)?.as_chunks().0[0])
    }

    pub fn left(&self) -> usize {
        self.rest.len()
    }

    pub fn end(&self) -> Result<()> {
        match self.rest.len() {
            0 => Ok(()),
            extra => Err(Error::Malformed(format!("{} has {extra} bytes too many", self.what))),
        }
    }
}

/// The sections of a file by number, in the order in which they stand.
pub fn sections<'a>(
    bytes: &'a [u8],
    magic: &[u8; 4],
    version: u32,
    what: &'static str,
) -> Result<Vec<(u32, &'a [u8])>> {
    let mut reader = Reader::new(bytes, what);
    if reader.take(4)? != magic {
        return Err(Error::Malformed(format!("{what} does not begin with \"{}\"", magic.escape_ascii())));
    }
    let found = reader.u32()?;
    if found != version {
        return Err(Error::Malformed(format!("{what} is of version {found}, not {version}")));
    }
    let count = reader.u32()?;
    let mut out: Vec<(u32, &[u8])> = Vec::new();
    for _ in 0..count {
        let number = reader.u32()?;
        let length = reader.u64()?;
        if length > reader.left() as u64 {
            return Err(Error::Malformed(format!(
                "{what} is cut off: section {number} has {length} bytes and {} are left",
                reader.left()
            )));
        }
        if out.iter().any(|(seen, _)| *seen == number) {
            return Err(Error::Malformed(format!("{what} has section {number} twice")));
        }
        out.push((number, reader.take(length as usize)?));
    }
    reader.end()?;
    Ok(out)
}

/// One section out of those found.
pub fn section<'a>(found: &[(u32, &'a [u8])], number: u32, what: &'static str) -> Result<&'a [u8]> {
    let section = found.iter().find(|(n, _)| *n == number);
    section.map(|(_, bytes)| *bytes).ok_or_else(|| Error::Malformed(format!("{what} has no section {number}")))
}

/// The head of a file of so many sections.
pub fn write_head(out: &mut impl Write, magic: &[u8; 4], version: u32, sections: u32) -> Result<()> {
    out.write_all(magic)?;
    out.write_all(&version.to_le_bytes())?;
    Ok(out.write_all(&sections.to_le_bytes())?)
}

/// The head of a section of so many bytes.
pub fn write_section(out: &mut impl Write, number: u32, length: u64) -> Result<()> {
    out.write_all(&number.to_le_bytes())?;
    Ok(out.write_all(&length.to_le_bytes())?)
}
