//! The doors from Python into the Rust core. No logic lives here: argument checks, the release of
//! the GIL, and the translation of errors.

use pyo3::prelude::*;

mod buffers;
mod circuit;
mod disk;
mod erasure;
mod hashing;
mod net;
mod poseidon2;
mod proof;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    circuit::register(module)?;
    disk::register(module)?;
    erasure::register(module)?;
    hashing::register(module)?;
    net::register(module)?;
    poseidon2::register(module)?;
    proof::register(module)
}
