//! The parameters of the circuit, and where its inputs stand among the wires.

use std::ops::Range;

use crate::error::{Error, Result};

/// Wires of the inputs that do not come in numbers. 1 to 4 are public: entropy, dataset root, slot
/// index, host.
pub mod inputs {
    pub const PUBLIC: usize = 4;
    pub const SLOT_ROOT: usize = 5;
    pub const CELLS: usize = 6;
    pub const SLOTS: usize = 7;
    pub const SLOT_PROOF: usize = 8;
}

/// Elements that one permutation takes in, and constraints that it costs.
const RATE: usize = 2;
const PERMUTATION: usize = 240;

/// A domain of 2^26 is more than any key there is.
const MOST_CONSTRAINTS: usize = 1 << 26;
const MOST_DEPTH: usize = 32;
const MOST_LOG2_SLOTS: usize = 16;

/// They are part of the key: a proof under one set says nothing under another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// Cells that one proof opens.
    pub samples: usize,
    /// A slot has at most 2^max_depth cells.
    pub max_depth: usize,
    /// A dataset has at most 2^max_log2_slots slots.
    pub max_log2_slots: usize,
    /// A block has 2^block_depth cells.
    pub block_depth: usize,
    /// Field elements of a cell.
    pub cell_elements: usize,
}

impl Parameters {
    /// 64 KiB blocks of 2 KiB cells, slots of up to 8 TiB, up to 256 of them: those of the official
    /// circuit but for the number of samples.
    pub fn standard(samples: usize) -> Self {
        Parameters { samples, max_depth: 32, max_log2_slots: 8, block_depth: 5, cell_elements: 67 }
    }

    /// # Errors
    /// `Malformed` when there is no such circuit.
    pub fn check(&self) -> Result<()> {
        let refuse = |why: String| Err(Error::Malformed(why));
        if !(1..MOST_DEPTH).contains(&self.block_depth) {
            return refuse(format!(
                "the depth of a block must be from 1 to {}, not {}",
                MOST_DEPTH - 1,
                self.block_depth
            ));
        }
        if !(self.block_depth + 1..=MOST_DEPTH).contains(&self.max_depth) {
            return refuse(format!(
                "the depth of a slot must be from {} (above that of a block) to {MOST_DEPTH}, not {}",
                self.block_depth + 1,
                self.max_depth
            ));
        }
        if !(1..=MOST_LOG2_SLOTS).contains(&self.max_log2_slots) {
            return refuse(format!(
                "log2 of the slots must be from 1 to {MOST_LOG2_SLOTS}, not {}",
                self.max_log2_slots
            ));
        }
        if self.samples == 0 || self.cell_elements == 0 {
            return refuse("a proof needs at least one sample, and a cell at least one field element".into());
        }
        let per_sample = self.cell_elements.saturating_add(self.max_depth * RATE);
        if per_sample.saturating_mul(self.samples).saturating_mul(PERMUTATION / RATE) > MOST_CONSTRAINTS {
            return refuse(format!(
                "{} samples of {} field elements make a circuit of more than {MOST_CONSTRAINTS} constraints",
                self.samples, self.cell_elements
            ));
        }
        Ok(())
    }

    pub fn private_inputs(&self) -> usize {
        self.path(self.samples - 1).end - 1 - inputs::PUBLIC
    }

    pub fn slot_proof(&self) -> Range<usize> {
        inputs::SLOT_PROOF..inputs::SLOT_PROOF + self.max_log2_slots
    }

    /// Field elements of the cell of a sample, counted from 0. All cells stand before all paths.
    pub fn cell(&self, sample: usize) -> Range<usize> {
        let start = self.slot_proof().end + sample * self.cell_elements;
        start..start + self.cell_elements
    }

    pub fn path(&self, sample: usize) -> Range<usize> {
        let start = self.cell(self.samples).start + sample * self.max_depth;
        start..start + self.max_depth
    }
}
