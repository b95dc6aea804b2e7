//! Doors to the circuits of `quire_proof`: our own, and programs that circom compiled. Errors are
//! those of `proof.rs`.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use quire_proof::circom_input::Signal;
use quire_proof::circuit::input::{HOST_BYTES, cell, felts};
use quire_proof::circuit::{Parameters, Sample, StorageCircuit, StorageInput};
use quire_proof::part_file::write_whole;
use quire_proof::wasm_host::{self, Limits};

use crate::buffers::bytes_of;
use crate::proof::{CancelFlag, Witness, exactly, flag, refused};

#[pyclass(frozen, name = "StorageCircuit", module = "quire._core")]
pub struct CircuitDoor(StorageCircuit);

#[pymethods]
impl CircuitDoor {
    #[new]
    fn new(
        samples: usize,
        max_depth: usize,
        max_log2_slots: usize,
        block_depth: usize,
        cell_elements: usize,
    ) -> PyResult<Self> {
        let parameters = Parameters { samples, max_depth, max_log2_slots, block_depth, cell_elements };
        StorageCircuit::new(parameters).map(Self).map_err(refused)
    }

    fn write_r1cs(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| write_whole(&path, |out| self.0.r1cs().write(out))).map_err(refused)
    }

    /// `roots`: entropy, dataset root and slot root; `numbers`: slot index, cells of a slot, slots.
    fn witness(
        &self,
        py: Python<'_>,
        roots: PyBuffer<u8>,
        numbers: (u64, u64, u64),
        host: PyBuffer<u8>,
        slot_path: PyBuffer<u8>,
        samples: Vec<(PyBuffer<u8>, PyBuffer<u8>)>,
    ) -> PyResult<Witness> {
        let roots: [u8; 96] = exactly(bytes_of(&roots)?, "entropy, dataset root and slot root")?;
        let host: [u8; HOST_BYTES] = exactly(bytes_of(&host)?, "the address of a host")?;
        let slot_path = bytes_of(&slot_path)?;
        let samples: Vec<(&[u8], &[u8])> =
            samples.iter().map(|(cell, path)| Ok((bytes_of(cell)?, bytes_of(path)?))).collect::<PyResult<_>>()?;
        let made = py.detach(|| {
            let input = input_of(self.0.parameters(), &roots, numbers, host, slot_path, &samples)?;
            self.0.witness(&input)
        });
        made.map(|wires| Witness(Arc::new(wires))).map_err(refused)
    }
}

fn input_of(
    parameters: &Parameters,
    roots: &[u8; 96],
    (slot_index, cells, slots): (u64, u64, u64),
    host: [u8; HOST_BYTES],
    slot_path: &[u8],
    samples: &[(&[u8], &[u8])],
) -> quire_proof::Result<StorageInput> {
    let names = ["the entropy", "the dataset root", "the slot root"];
    let mut elements = Vec::new();
    for (name, element) in names.into_iter().zip(roots.as_chunks::<32>().0) {
        elements.extend(felts(element, name)?);
    }
    let samples = samples.iter().enumerate().map(|(number, (data, path))| {
        let place = format!("sample {}", number + 1);
        let cell = cell(data, parameters, &format!("{place}: the cell"))?;
        Ok(Sample { cell, path: felts(path, &format!("{place}: the path"))? })
    });
    Ok(StorageInput {
        entropy: elements[0],
        dataset_root: elements[1],
        slot_index,
        host,
        slot_root: elements[2],
        cells,
        slots,
        slot_proof: felts(slot_path, "the slot proof")?,
        samples: samples.collect::<quire_proof::Result<_>>()?,
    })
}

/// All wires from a program that circom compiled. `signals`: names, and values as joined felts.
#[pyfunction]
fn circom_witness(
    py: Python<'_>,
    program: PyBuffer<u8>,
    signals: Vec<(String, PyBuffer<u8>)>,
    memory_bytes: usize,
    steps: u64,
    cancel: Option<&Bound<'_, CancelFlag>>,
) -> PyResult<Witness> {
    let program = bytes_of(&program)?;
    let signals: Vec<(String, &[u8])> =
        signals.iter().map(|(name, values)| Ok((name.clone(), bytes_of(values)?))).collect::<PyResult<_>>()?;
    let cancel = flag(cancel);
    let made = py.detach(|| {
        let mut taken = Vec::new();
        for (name, values) in signals {
            let values = felts(values, &format!("signal {name}"))?;
            taken.push(Signal { name, values });
        }
        wasm_host::witness(program, &taken, &Limits { memory_bytes, steps }, &cancel)
    });
    made.map(|wires| Witness(Arc::new(wires))).map_err(refused)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<CircuitDoor>()?;
    module.add_function(wrap_pyfunction!(circom_witness, module)?)
}
