//! What is no input, or proves nothing, is refused in words.

use ark_bn254::Fr;
use ark_ff::{One, Zero};

use super::honest::{SMALL, honest};
use super::{Parameters, StorageCircuit, StorageInput};
use crate::error::Error;

fn small() -> StorageCircuit {
    StorageCircuit::new(SMALL).unwrap()
}

fn why(input: &StorageInput) -> String {
    match small().witness(input) {
        Err(Error::Malformed(why) | Error::WitnessDoesNotSatisfy(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn changed(change: impl FnOnce(&mut StorageInput)) -> StorageInput {
    let mut input = honest(&SMALL, 5, 4, 4, 11);
    change(&mut input);
    input
}

#[test]
fn an_input_that_proves_nothing_is_refused_with_its_clause() {
    let one = Fr::one();
    let cases: [(StorageInput, &str); 9] = [
        (changed(|i| i.samples[1].cell[2] += one), "sample 2 of 2: the cell does not lead to the slot root"),
        (changed(|i| i.samples[0].path[1] += one), "sample 1 of 2: the cell does not lead"),
        (changed(|i| i.samples[0].path[3] += one), "sample 1 of 2: the cell does not lead"),
        (changed(|i| i.entropy += one), "the cell does not lead"),
        (changed(|i| i.slot_index = 3), "the slot root does not lead to the dataset root"),
        (changed(|i| i.slot_root += one), "the slot root does not lead to the dataset root"),
        (changed(|i| i.dataset_root += one), "the slot root does not lead to the dataset root"),
        (changed(|i| i.slot_proof[2] += one), "the slot root does not lead to the dataset root"),
        (changed(|i| i.slot_proof[0] += one), "entry 0 of the slot proof is not zero"),
    ];
    for (input, clause) in cases {
        let why = why(&input);
        assert!(why.contains(clause), "{why}");
        assert!(matches!(small().witness(&input), Err(Error::WitnessDoesNotSatisfy(_))));
    }
}

#[test]
fn fewer_or_more_cells_or_slots_than_there_are_prove_nothing() {
    assert!(why(&changed(|i| i.slots = 6)).contains("the slot root does not lead"));
    for log2_cells in [2, 3, 5, 6] {
        let mut input = honest(&SMALL, 5, 1, 4, 3);
        input.cells = 1 << log2_cells;
        input.samples.iter_mut().for_each(|sample| sample.path[log2_cells..].fill(Fr::zero()));
        assert!(matches!(small().witness(&input), Err(Error::WitnessDoesNotSatisfy(_))), "{log2_cells}");
    }
}

#[test]
fn an_input_that_does_not_fit_is_refused_before_any_work() {
    let one = Fr::one();
    let cases: [(StorageInput, &str); 13] = [
        (changed(|i| i.cells = 12), "a slot of 12 cells does not fit"),
        (changed(|i| i.cells = 0), "a slot of 0 cells does not fit"),
        (changed(|i| i.cells = 2), "a slot of 2 cells does not fit"),
        (changed(|i| i.cells = 128), "a slot of 128 cells does not fit"),
        (changed(|i| i.slots = 0), "a dataset of 0 slots does not fit"),
        (changed(|i| i.slots = 9), "a dataset of 9 slots does not fit"),
        (changed(|i| i.slot_index = 5), "there is no slot 5 in a dataset of 5 slots"),
        (changed(|i| i.slot_proof.truncate(2)), "the slot proof has 2 entries"),
        (changed(|i| i.samples.truncate(1)), "1 samples were given, and the circuit takes 2"),
        (changed(|i| i.samples[1].cell.truncate(3)), "sample 2 of 2: the cell has 3 field elements"),
        (changed(|i| i.samples[1].path.push(one)), "sample 2 of 2: the path has 7 entries"),
        (changed(|i| i.samples[0].path[4] = one), "the path has 4 layers, but its entry 4 is not zero"),
        (changed(|i| i.slots = 4), "there is no slot 4"),
    ];
    for (input, expected) in cases {
        let why = why(&input);
        assert!(why.contains(expected), "{why}");
        assert!(matches!(small().witness(&input), Err(Error::Malformed(_))));
    }
}

#[test]
fn parameters_without_a_circuit_are_refused() {
    let good = SMALL;
    for bad in [
        Parameters { samples: 0, ..good },
        Parameters { samples: usize::MAX, ..good },
        Parameters { cell_elements: 0, ..good },
        Parameters { cell_elements: usize::MAX, ..good },
        Parameters { block_depth: 0, ..good },
        Parameters { block_depth: 6, ..good },
        Parameters { max_depth: 33, ..good },
        Parameters { max_log2_slots: 0, ..good },
        Parameters { max_log2_slots: 17, ..good },
    ] {
        assert!(StorageCircuit::new(bad).is_err(), "{bad:?}");
    }
}
