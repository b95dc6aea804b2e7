//! Our own storage circuit: the statement of the official one, with the host bound into the proof,
//! any number of samples, and fewer constraints.
//!
//! `statement` says what is proved; `tree`, `bits` and `poseidon` are its gadgets; `builder` turns
//! them into constraints or into the values of the wires.

pub mod bits;
pub mod builder;
pub mod input;
pub mod linear;
pub mod parameters;
pub mod poseidon;
pub mod statement;
pub mod tree;

#[cfg(test)]
mod honest;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod tests;

use ark_bn254::Fr;

use crate::error::{Error, Result};
use crate::r1cs::R1cs;
use builder::{Shape, Values};
pub use input::{Sample, StorageInput};
pub use parameters::Parameters;

/// Entropy, dataset root, slot index, host: wires 1 to 4 and the public inputs in this order.
pub const PUBLIC_INPUTS: usize = parameters::inputs::PUBLIC;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageCircuit {
    parameters: Parameters,
}

impl StorageCircuit {
    /// # Errors
    /// `Malformed` when there is no circuit of such parameters.
    pub fn new(parameters: Parameters) -> Result<Self> {
        parameters.check()?;
        Ok(StorageCircuit { parameters })
    }

    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// All constraints.
    pub fn r1cs(&self) -> R1cs {
        let mut shape = Shape::new(PUBLIC_INPUTS as u32, self.parameters.private_inputs() as u32);
        statement::lay(&mut shape, &self.parameters);
        shape.finish()
    }

    /// The values of all wires.
    ///
    /// # Errors
    /// `Malformed` when the input does not fit the circuit; `WitnessDoesNotSatisfy`, with the clause
    /// of the statement, when it fits and proves nothing.
    pub fn witness(&self, input: &StorageInput) -> Result<Vec<Fr>> {
        input.check(&self.parameters)?;
        let mut values = Values::new(input.wires(), self.wires_about());
        statement::lay(&mut values, &self.parameters);
        values.finish().map_err(Error::WitnessDoesNotSatisfy)
    }

    /// Not fewer wires than there are, nor many more.
    fn wires_about(&self) -> usize {
        let Parameters { samples, max_depth, max_log2_slots, cell_elements, .. } = self.parameters;
        let permutations = samples * (cell_elements / 2 + max_depth + 2) + max_log2_slots + 1;
        let others = samples * (3 * bits::ELEMENT_BITS / 2 + 2 * max_depth + cell_elements);
        240 * permutations + others + 32 * max_log2_slots + 64
    }
}
