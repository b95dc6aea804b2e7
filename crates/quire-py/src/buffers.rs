//! Python buffers as slices.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

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
