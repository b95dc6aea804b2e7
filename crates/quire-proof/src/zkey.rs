//! The proving key: a snarkjs `.zkey` mapped into memory and used in place (proofs.md 5.1).
//!
//! Opening checks the shape of the whole file and the points of the header. The other points are
//! looked at by [`crate::key_check`]; a proof made from damaged ones does not verify, and a proof
//! that does not verify is never handed out.

use std::ops::Range;
use std::path::Path;

use ark_bn254::{Fq, Fr, G1Affine, G2Affine};

use crate::bytes::{self, ELEMENT_BYTES, Reader};
use crate::error::{Error, Result};
use crate::mapped::Mapped;
use crate::points::{self, G1_BYTES, G1Bytes, G2_BYTES, G2Bytes};
use crate::vk::VerifyingKey;

pub(crate) const MAGIC: &[u8; 4] = b"zkey";
pub(crate) const GROTH16: u32 = 1;
pub(crate) const CIRCUIT_HASH_BYTES: usize = 64;
/// Stands in the second half of the circuit hash of every key made from a known seed.
pub const UNSAFE_MARK: &[u8; 32] = b"UNSAFE Quire development key !!!";
/// The root of order 2·domain must exist, and the field has roots up to order 2^28.
pub(crate) const MAX_DOMAIN: u32 = 1 << 27;
const WHAT: &str = "the .zkey file";

/// Numbers of the sections.
pub(crate) mod number {
    pub const PROTOCOL: u32 = 1;
    pub const HEADER: u32 = 2;
    pub const INPUTS: u32 = 3;
    pub const COEFFICIENTS: u32 = 4;
    pub const A: u32 = 5;
    pub const B1: u32 = 6;
    pub const B2: u32 = 7;
    pub const C: u32 = 8;
    pub const H: u32 = 9;
    pub const CIRCUIT: u32 = 10;
}

/// Matrix, constraint, wire, and value·R² (R = 2^256), of one term of A or B.
pub const COEFFICIENT_BYTES: usize = 12 + ELEMENT_BYTES;
pub type CoefficientBytes = [u8; COEFFICIENT_BYTES];

#[derive(Debug)]
pub struct ProvingKey {
    map: Mapped,
    header: Header,
    coefficients: Range<usize>,
    a: Range<usize>,
    b1: Range<usize>,
    b2: Range<usize>,
    c: Range<usize>,
    h: Range<usize>,
    circuit_hash: [u8; CIRCUIT_HASH_BYTES],
}

#[derive(Debug)]
pub(crate) struct Header {
    pub wires: usize,
    pub public: usize,
    pub domain: usize,
    pub beta1: G1Affine,
    pub delta1: G1Affine,
    pub vk: VerifyingKey,
}

impl ProvingKey {
    /// # Errors
    /// `BadKey` for a file that is cut off, of another protocol or curve, or whose sections do not
    /// fit each other; `Io` when it cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let map = Mapped::open(path)?;
        Self::of(map).map_err(|error| match error {
            Error::Malformed(why) | Error::BadKey(why) => Error::BadKey(format!("{}: {why}", path.display())),
            other => other,
        })
    }

    fn of(map: Mapped) -> Result<Self> {
        let file = map.bytes();
        let sections = bytes::sections(file, MAGIC, 1, WHAT)?;
        let get = |number| bytes::section(&sections, number, WHAT);
        let protocol = Reader::new(get(number::PROTOCOL)?, WHAT).u32()?;
        if protocol != GROTH16 {
            return Err(Error::BadKey(format!("{WHAT} is of protocol {protocol}, not of Groth16 (1)")));
        }
        let header = Header::read(get(number::HEADER)?, get(number::INPUTS)?)?;
        let place = |number, size: usize, count: usize, what: &str| -> Result<Range<usize>> {
            let section = get(number)?;
            if Some(section.len()) != count.checked_mul(size) {
                return Err(Error::BadKey(format!(
                    "{WHAT} has {} bytes of {what}; {count} times {size} were expected",
                    section.len()
                )));
            }
            let start = section.as_ptr() as usize - file.as_ptr() as usize;
            Ok(start..start + section.len())
        };
        let mut counted = Reader::new(get(number::COEFFICIENTS)?, WHAT);
        let count = counted.u32()? as usize;
        if Some(counted.left()) != count.checked_mul(COEFFICIENT_BYTES) {
            return Err(Error::BadKey(format!("{WHAT} announces {count} coefficients and has other bytes")));
        }
        let section = get(number::COEFFICIENTS)?;
        let start = section.as_ptr() as usize - file.as_ptr() as usize;
        let circuit = get(number::CIRCUIT)?;
        let Some((hash, _)) = circuit.split_first_chunk().filter(|(_, rest)| rest.len() >= 4) else {
            return Err(Error::BadKey(format!("{WHAT} has no circuit hash")));
        };
        Ok(ProvingKey {
            coefficients: start + 4..start + section.len(),
            a: place(number::A, G1_BYTES, header.wires, "points A")?,
            b1: place(number::B1, G1_BYTES, header.wires, "points B in G1")?,
            b2: place(number::B2, G2_BYTES, header.wires, "points B in G2")?,
            c: place(number::C, G1_BYTES, header.wires - header.public - 1, "points C")?,
            h: place(number::H, G1_BYTES, header.domain, "points H")?,
            circuit_hash: *hash,
            header,
            map,
        })
    }

    /// Wires of the circuit, the constant among them; the length of a witness.
    pub fn wires(&self) -> usize {
        self.header.wires
    }

    pub fn public_count(&self) -> usize {
        self.header.public
    }

    /// A power of two, at least the number of constraints and public inputs and one.
    pub fn domain(&self) -> usize {
        self.header.domain
    }

    /// Constraints of the circuit, as the last row tells, which binds the last public input.
    pub fn constraints(&self) -> usize {
        let row = self.coefficients().last().map_or(0, |last| u32::from_le_bytes([last[4], last[5], last[6], last[7]]));
        (row as usize).saturating_sub(self.header.public)
    }

    /// What stands in the last section: of a key that snarkjs made, the hash of its own kind; of a
    /// development key, the SHA-256 of the `.r1cs` file and [`UNSAFE_MARK`].
    pub fn circuit_hash(&self) -> &[u8; CIRCUIT_HASH_BYTES] {
        &self.circuit_hash
    }

    /// The SHA-256 of the `.r1cs` file that a development key was made for; `None` for other keys.
    pub fn development_circuit(&self) -> Option<&[u8; 32]> {
        let (halves, _) = self.circuit_hash.as_chunks();
        (&halves[1] == UNSAFE_MARK).then_some(&halves[0])
    }

    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.header.vk
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) fn coefficients(&self) -> &[CoefficientBytes] {
        self.map.bytes()[self.coefficients.clone()].as_chunks().0
    }

    pub(crate) fn a(&self) -> &[G1Bytes] {
        self.map.bytes()[self.a.clone()].as_chunks().0
    }

    pub(crate) fn b1(&self) -> &[G1Bytes] {
        self.map.bytes()[self.b1.clone()].as_chunks().0
    }

    pub(crate) fn b2(&self) -> &[G2Bytes] {
        self.map.bytes()[self.b2.clone()].as_chunks().0
    }

    pub(crate) fn c(&self) -> &[G1Bytes] {
        self.map.bytes()[self.c.clone()].as_chunks().0
    }

    pub(crate) fn h(&self) -> &[G1Bytes] {
        self.map.bytes()[self.h.clone()].as_chunks().0
    }
}

impl Header {
    fn read(section: &[u8], inputs: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(section, WHAT);
        let base = reader.u32()? as usize == ELEMENT_BYTES && reader.element()? == &bytes::modulus_le::<Fq>();
        let scalar = base && reader.u32()? as usize == ELEMENT_BYTES && reader.element()? == &bytes::modulus_le::<Fr>();
        if !scalar {
            return Err(Error::BadKey(format!("{WHAT} is over another curve than BN254")));
        }
        let [wires, public, domain] = [reader.u32()?, reader.u32()?, reader.u32()?];
        if public >= wires || !domain.is_power_of_two() || domain > MAX_DOMAIN || domain <= public {
            return Err(Error::BadKey(format!(
                "{WHAT} has {wires} wires, {public} public inputs and a domain of {domain}; it must be a power of two \
                 above the public inputs, of which there are fewer than wires"
            )));
        }
        let alpha = g1(&mut reader, "alpha")?;
        let beta1 = g1(&mut reader, "beta")?;
        let beta = g2(&mut reader, "beta")?;
        let gamma = g2(&mut reader, "gamma")?;
        let delta1 = g1(&mut reader, "delta")?;
        let delta = g2(&mut reader, "delta")?;
        reader.end()?;
        let mut reader = Reader::new(inputs, WHAT);
        let expected = (public as usize + 1) * G1_BYTES;
        if inputs.len() != expected {
            return Err(Error::BadKey(format!("{WHAT} has {} bytes of input points, not {expected}", inputs.len())));
        }
        let inputs = (0..=public).map(|_| g1(&mut reader, "an input point")).collect::<Result<_>>()?;
        let vk = VerifyingKey { alpha, beta, gamma, delta, inputs }.checked()?;
        Ok(Header { wires: wires as usize, public: public as usize, domain: domain as usize, beta1, delta1, vk })
    }
}

fn g1(reader: &mut Reader<'_>, what: &str) -> Result<G1Affine> {
    points::checked_g1(&reader.take(G1_BYTES)?.as_chunks().0[0])
        .ok_or_else(|| Error::BadKey(format!("{what} of {WHAT} is not on the curve")))
}

fn g2(reader: &mut Reader<'_>, what: &str) -> Result<G2Affine> {
    points::checked_g2(&reader.take(G2_BYTES)?.as_chunks().0[0])
        .ok_or_else(|| Error::BadKey(format!("{what} of {WHAT} is not in the group on the twist")))
}
