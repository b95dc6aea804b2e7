//! What a storage proof is made from, checked before any work is done.

use ark_bn254::Fr;
use ark_ff::{PrimeField, Zero};
use quire_kernel::poseidon2;

use super::parameters::Parameters;
use crate::bytes;
use crate::error::{Error, Result};

/// Bytes of an address.
pub const HOST_BYTES: usize = 20;

/// One opened cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The cell as field elements, with the one that ends it.
    pub cell: Vec<Fr>,
    /// Siblings from the cell up to the slot root, then zeros.
    pub path: Vec<Fr>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageInput {
    pub entropy: Fr,
    pub dataset_root: Fr,
    pub slot_index: u64,
    /// The address that the proof is worth something to.
    pub host: [u8; HOST_BYTES],
    pub slot_root: Fr,
    /// Cells of a slot: a power of two.
    pub cells: u64,
    /// Slots of the dataset.
    pub slots: u64,
    /// Siblings from the slot root up to the dataset root, then zeros.
    pub slot_proof: Vec<Fr>,
    pub samples: Vec<Sample>,
}

fn refuse<T>(why: String) -> Result<T> {
    Err(Error::Malformed(why))
}

/// The element that 32 little-endian bytes name.
///
/// # Errors
/// `Malformed` when they are not below the modulus.
pub fn felt(bytes: &[u8; 32], what: &str) -> Result<Fr> {
    bytes::from_le(bytes).ok_or_else(|| Error::Malformed(format!("{what} is not below the modulus of BN254")))
}

/// Elements out of joined little-endian bytes.
///
/// # Errors
/// `Malformed` when the length is no multiple of 32 or an element is not below the modulus.
pub fn felts(joined: &[u8], what: &str) -> Result<Vec<Fr>> {
    let (elements, rest) = joined.as_chunks::<32>();
    if !rest.is_empty() {
        return refuse(format!("{what} is {} bytes long, which is no multiple of 32", joined.len()));
    }
    elements.iter().map(|element| felt(element, &format!("an element of {what}"))).collect()
}

/// A cell as field elements: from its data, or from the elements themselves joined.
///
/// # Errors
/// `Malformed` when the bytes are neither.
pub fn cell(data: &[u8], parameters: &Parameters, what: &str) -> Result<Vec<Fr>> {
    let count = parameters.cell_elements;
    if data.len() == 32 * count {
        felts(data, what)
    } else if poseidon2::felt_count(data.len()) == count {
        poseidon2::felts_of(data).map(|element| felt(&element, what)).collect()
    } else {
        refuse(format!("{what} is {} bytes long, which do not make {count} field elements", data.len()))
    }
}

impl StorageInput {
    /// # Errors
    /// `Malformed` when a length or a number does not fit the circuit.
    pub fn check(&self, parameters: &Parameters) -> Result<()> {
        let Parameters { samples, max_depth, max_log2_slots, block_depth, cell_elements } = *parameters;
        if !self.cells.is_power_of_two() || !(block_depth..=max_depth).contains(&(self.cells.ilog2() as usize)) {
            return refuse(format!(
                "a slot of {} cells does not fit: a power of two from 2^{block_depth} to 2^{max_depth} was expected",
                self.cells
            ));
        }
        if !(1..=1 << max_log2_slots).contains(&self.slots) {
            return refuse(format!(
                "a dataset of {} slots does not fit: 1 to 2^{max_log2_slots} were expected",
                self.slots
            ));
        }
        if self.slot_index >= self.slots {
            return refuse(format!("there is no slot {} in a dataset of {} slots", self.slot_index, self.slots));
        }
        if self.samples.len() != samples {
            return refuse(format!("{} samples were given, and the circuit takes {samples}", self.samples.len()));
        }
        let slot_depth = self.slots.next_power_of_two().ilog2() as usize;
        check_path(&self.slot_proof, max_log2_slots, slot_depth, "the slot proof")?;
        for (number, sample) in self.samples.iter().enumerate() {
            let place = format!("sample {} of {samples}", number + 1);
            if sample.cell.len() != cell_elements {
                return refuse(format!(
                    "{place}: the cell has {} field elements, and the circuit takes {cell_elements}",
                    sample.cell.len()
                ));
            }
            check_path(&sample.path, max_depth, self.cells.ilog2() as usize, &format!("{place}: the path"))?;
        }
        Ok(())
    }

    /// The values of the input wires, from wire 1.
    pub fn wires(&self) -> impl Iterator<Item = Fr> + '_ {
        let cells = self.samples.iter().flat_map(|sample| sample.cell.iter().copied());
        let paths = self.samples.iter().flat_map(|sample| sample.path.iter().copied());
        let [slot_index, cells_count, slots] = [self.slot_index, self.cells, self.slots].map(Fr::from);
        let host = Fr::from_be_bytes_mod_order(&self.host);
        [self.entropy, self.dataset_root, slot_index, host, self.slot_root, cells_count, slots]
            .into_iter()
            .chain(self.slot_proof.iter().copied())
            .chain(cells)
            .chain(paths)
    }
}

fn check_path(path: &[Fr], length: usize, used: usize, what: &str) -> Result<()> {
    if path.len() != length {
        return refuse(format!("{what} has {} entries, and the circuit takes {length}", path.len()));
    }
    match path[used..].iter().position(|entry| !entry.is_zero()) {
        Some(extra) => refuse(format!("{what} has {used} layers, but its entry {} is not zero", used + extra)),
        None => Ok(()),
    }
}
