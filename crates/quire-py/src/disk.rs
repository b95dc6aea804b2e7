//! Doors to `quire_disk`.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use quire_disk::{Files, Source};

use crate::buffers::bytes_of;

/// With the number of the error, so that Python raises the class that belongs to it.
fn os_error(error: std::io::Error) -> PyErr {
    match error.raw_os_error() {
        Some(number) => PyOSError::new_err((number, error.to_string())),
        None => PyOSError::new_err(error.to_string()),
    }
}

#[pyfunction]
fn write_file(py: Python<'_>, cached: i32, direct: i32, offset: u64, data: PyBuffer<u8>) -> PyResult<()> {
    let bytes = bytes_of(&data)?;
    py.detach(|| quire_disk::write_at(Files { cached, direct }, offset, bytes)).map_err(os_error)
}

#[pyfunction]
fn read_file(
    py: Python<'_>,
    cached: i32,
    direct: i32,
    offset: u64,
    length: usize,
    fill_cache: bool,
) -> PyResult<(Bound<'_, PyBytes>, bool)> {
    let mut found = (0, Source::Cache);
    let data = PyBytes::new_with(py, length, |out| {
        found =
            py.detach(|| quire_disk::read_at(Files { cached, direct }, offset, out, fill_cache)).map_err(os_error)?;
        Ok(())
    })?;
    let (count, source) = found;
    let data = if count == length { data } else { PyBytes::new(py, &data.as_bytes()[..count]) };
    Ok((data, source == Source::Direct))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(write_file, module)?)?;
    module.add_function(wrap_pyfunction!(read_file, module)?)
}
