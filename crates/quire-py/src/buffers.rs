//! Python buffers as slices.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The bytes behind a C-contiguous buffer.
///
/// The buffer stays exported while the slice lives, so its memory can neither move nor go. Callers
/// of the Python functions must not write to it meanwhile; a torn read can only make a digest wrong.
pub fn bytes_of(buffer: &PyBuffer<u8>) -> PyResult<&[u8]> {
    if !buffer.is_c_contiguous() {
        return Err(PyValueError::new_err("the buffer must be contiguous"));
    }
    if buffer.len_bytes() == 0 {
        return Ok(&[]);
    }
    // SAFETY: contiguous, exported for the lifetime of `buffer`, length as reported by the exporter.
    Ok(unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast::<u8>(), buffer.len_bytes()) })
}

/// So many `bytes` of one length, filled by `fill` without the GIL and without a copy.
///
/// `fill` writes every byte of every row, or fails.
pub fn filled_rows<'py>(
    py: Python<'py>,
    count: usize,
    len: usize,
    fill: impl FnOnce(&mut [&mut [u8]]) -> PyResult<()> + Send,
) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let size = ffi::Py_ssize_t::try_from(len)?;
    let mut rows = Vec::with_capacity(count);
    for _ in 0..count {
        // SAFETY: without a source the object is new, of that size, and nobody else's yet.
        let row = unsafe {
            Bound::from_owned_ptr_or_err(py, ffi::PyBytes_FromStringAndSize(std::ptr::null(), size))?
                .cast_into_unchecked::<PyBytes>()
        };
        rows.push(row);
    }
    let mut places: Vec<&mut [u8]> = rows
        .iter()
        .map(|row| {
            // SAFETY: `len` bytes of an object of which no other reference exists before this
            // function returns; a byte has no invalid value, and `fill` reads none it has not written.
            unsafe { std::slice::from_raw_parts_mut(ffi::PyBytes_AsString(row.as_ptr()).cast::<u8>(), len) }
        })
        .collect();
    py.detach(|| fill(&mut places))?;
    Ok(rows)
}
