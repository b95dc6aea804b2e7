//! Sizes and times of our circuit: `cargo run --release -p quire-proof --example circuit -- 5 20 100`.

use std::time::Instant;

use ark_ff::Zero;
use quire_proof::Fr;
use quire_proof::circuit::{Parameters, Sample, StorageCircuit, StorageInput};
use quire_proof::r1cs::FORMS;

/// An input that fits the circuit and proves nothing, which takes as long as one that does.
fn any_input(parameters: &Parameters) -> StorageInput {
    let zeros = |count| vec![Fr::zero(); count];
    let sample = Sample { cell: zeros(parameters.cell_elements), path: zeros(parameters.max_depth) };
    StorageInput {
        entropy: Fr::from(1),
        dataset_root: Fr::from(2),
        slot_index: 3,
        host: [7; 20],
        slot_root: Fr::from(4),
        cells: 1 << 20,
        slots: 6,
        slot_proof: zeros(parameters.max_log2_slots),
        samples: vec![sample; parameters.samples],
    }
}

fn main() {
    for samples in std::env::args().skip(1).map(|word| word.parse().expect("a number of samples")) {
        let circuit = StorageCircuit::new(Parameters::standard(samples)).expect("a circuit");
        let start = Instant::now();
        let r1cs = circuit.r1cs();
        let shaped = start.elapsed();
        let start = Instant::now();
        let refused = circuit.witness(&any_input(circuit.parameters()));
        let computed = start.elapsed();
        assert!(refused.is_err());
        println!(
            "{samples} samples: {} constraints, {} wires, {:?} terms, shape {shaped:?}, witness {computed:?}",
            r1cs.constraint_count(),
            r1cs.wires,
            FORMS.map(|form| r1cs.term_count(form)),
        );
    }
}
