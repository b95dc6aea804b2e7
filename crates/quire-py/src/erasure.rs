//! Doors to `quire_kernel::leopard`.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use quire_kernel::leopard::{self, Code, CodeError};

use crate::buffers::{bytes_of, filled_rows};

fn refused(error: CodeError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn rows_of(buffers: &[PyBuffer<u8>]) -> PyResult<Vec<&[u8]>> {
    buffers.iter().map(bytes_of).collect()
}

#[pyfunction]
fn erasure_field_bits(k: usize, m: usize) -> PyResult<u32> {
    Ok(Code::new(k, m).map_err(refused)?.bits())
}

#[pyfunction]
fn erasure_encode<'py>(py: Python<'py>, rows: Vec<PyBuffer<u8>>, m: usize) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let code = Code::new(rows.len(), m).map_err(refused)?;
    let rows = rows_of(&rows)?;
    filled_rows(py, m, rows[0].len(), |parity| leopard::encode(code, &rows, parity).map_err(refused))
}

#[pyfunction]
fn erasure_rebuild<'py>(
    py: Python<'py>,
    k: usize,
    m: usize,
    numbers: Vec<usize>,
    rows: Vec<PyBuffer<u8>>,
    wanted: Vec<usize>,
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let code = Code::new(k, m).map_err(refused)?;
    if wanted.len() > code.rows() {
        return Err(PyValueError::new_err(format!("{} rows wanted of a code of {}", wanted.len(), code.rows())));
    }
    let bytes = rows_of(&rows)?;
    let len = bytes.first().map_or(0, |row| row.len());
    let rows: Vec<(usize, &[u8])> = numbers.into_iter().zip(bytes).collect();
    filled_rows(py, wanted.len(), len, |out| leopard::rebuild(code, &rows, &wanted, out).map_err(refused))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("ERASURE_ROWS_MAX", leopard::MAX_ROWS)?;
    module.add_function(wrap_pyfunction!(erasure_field_bits, module)?)?;
    module.add_function(wrap_pyfunction!(erasure_encode, module)?)?;
    module.add_function(wrap_pyfunction!(erasure_rebuild, module)?)
}
