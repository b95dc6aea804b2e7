//! Doors to `quire_kernel::{hash, merkle}`.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use quire_kernel::hash::Digest;
use quire_kernel::{hash, merkle};

use crate::buffers::bytes_of;

fn digests_of<'a>(buffer: &'a PyBuffer<u8>, what: &str) -> PyResult<&'a [Digest]> {
    let bytes = bytes_of(buffer)?;
    let (digests, rest) = bytes.as_chunks::<32>();
    if rest.is_empty() {
        Ok(digests)
    } else {
        Err(PyValueError::new_err(format!("{what} must be a multiple of 32 bytes, not {}", bytes.len())))
    }
}

fn to_bytes<'py>(py: Python<'py>, digests: &[Digest]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, digests.as_flattened())
}

/// A `bytes` of so many digests, filled by `fill` without the GIL and without a copy.
fn filled<'py>(
    py: Python<'py>,
    count: usize,
    fill: impl FnOnce(&mut [Digest]) + Send,
) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, count * size_of::<Digest>(), |bytes| {
        py.detach(|| fill(bytes.as_chunks_mut().0));
        Ok(())
    })
}

fn check_range(start: usize, count: usize, leaf_count: usize) -> PyResult<()> {
    match start.checked_add(count) {
        Some(stop) if count > 0 && stop <= leaf_count => Ok(()),
        _ => Err(PyValueError::new_err(format!(
            "leaves {start}..{start}+{count} are not a range of a tree of {leaf_count} leaves"
        ))),
    }
}

#[pyfunction]
fn sha256_blocks(py: Python<'_>, data: PyBuffer<u8>, block_size: usize) -> PyResult<Bound<'_, PyBytes>> {
    let bytes = bytes_of(&data)?;
    if bytes.is_empty() || block_size == 0 {
        return Err(PyValueError::new_err("data and block size must not be empty"));
    }
    filled(py, bytes.len().div_ceil(block_size), |out| hash::sha256_blocks_into(bytes, block_size, out))
}

#[pyfunction]
fn verify_blocks(py: Python<'_>, data: PyBuffer<u8>, block_size: usize, digests: PyBuffer<u8>) -> PyResult<isize> {
    let bytes = bytes_of(&data)?;
    let expected = digests_of(&digests, "digests")?;
    if block_size == 0 || Some(bytes.len()) != block_size.checked_mul(expected.len()) {
        return Err(PyValueError::new_err(format!(
            "{} bytes are not {} blocks of {block_size}",
            bytes.len(),
            expected.len()
        )));
    }
    let bad = py.detach(|| hash::sha256_blocks(bytes, block_size).iter().zip(expected).position(|(a, b)| a != b));
    Ok(bad.map_or(-1, |index| index as isize))
}

#[pyfunction]
fn merkle_tree(py: Python<'_>, leaves: PyBuffer<u8>) -> PyResult<Bound<'_, PyBytes>> {
    let leaves = digests_of(&leaves, "leaves")?;
    if leaves.is_empty() {
        return Err(PyValueError::new_err("a tree needs at least one leaf"));
    }
    filled(py, merkle::node_count(leaves.len()), |out| merkle::tree_into(leaves, out))
}

#[pyfunction]
fn merkle_root(py: Python<'_>, leaves: PyBuffer<u8>) -> PyResult<Bound<'_, PyBytes>> {
    let leaves = digests_of(&leaves, "leaves")?;
    let root = py.detach(|| merkle::root(leaves));
    let root = root.ok_or_else(|| PyValueError::new_err("a tree needs at least one leaf"))?;
    Ok(PyBytes::new(py, &root))
}

#[pyfunction]
fn range_proof<'py>(
    py: Python<'py>,
    tree: PyBuffer<u8>,
    leaf_count: usize,
    start: usize,
    count: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    check_range(start, count, leaf_count)?;
    let nodes = digests_of(&tree, "tree")?;
    if leaf_count > nodes.len() || nodes.len() != merkle::node_count(leaf_count) {
        return Err(PyValueError::new_err(format!("{} nodes are not a tree of {leaf_count} leaves", nodes.len())));
    }
    Ok(to_bytes(py, &merkle::range_proof(nodes, leaf_count, start, count)))
}

#[pyfunction]
fn verify_leaves(
    py: Python<'_>,
    leaves: PyBuffer<u8>,
    start: usize,
    leaf_count: usize,
    proof: PyBuffer<u8>,
    root: PyBuffer<u8>,
) -> PyResult<bool> {
    let leaves = digests_of(&leaves, "leaves")?;
    check_range(start, leaves.len(), leaf_count)?;
    let root = bytes_of(&root)?;
    let Ok(proof) = digests_of(&proof, "proof") else { return Ok(false) };
    let found = py.detach(|| merkle::root_of_range(leaves, start, leaf_count, proof));
    Ok(found.is_some_and(|found| found == root))
}

#[pyfunction]
fn verify_range<'py>(
    py: Python<'py>,
    data: PyBuffer<u8>,
    block_size: usize,
    start: usize,
    leaf_count: usize,
    proof: PyBuffer<u8>,
    root: PyBuffer<u8>,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let bytes = bytes_of(&data)?;
    if block_size == 0 || bytes.is_empty() || !bytes.len().is_multiple_of(block_size) {
        return Err(PyValueError::new_err(format!("{} bytes are not whole blocks of {block_size}", bytes.len())));
    }
    check_range(start, bytes.len() / block_size, leaf_count)?;
    let root = bytes_of(&root)?;
    let Ok(proof) = digests_of(&proof, "proof") else { return Ok(None) };
    let (digests, found) = py.detach(|| {
        let digests = hash::sha256_blocks(bytes, block_size);
        let found = merkle::root_of_range(&digests, start, leaf_count, proof);
        (digests, found)
    });
    Ok(if found.is_some_and(|found| found == root) { Some(to_bytes(py, &digests)) } else { None })
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(sha256_blocks, module)?)?;
    module.add_function(wrap_pyfunction!(verify_blocks, module)?)?;
    module.add_function(wrap_pyfunction!(merkle_tree, module)?)?;
    module.add_function(wrap_pyfunction!(merkle_root, module)?)?;
    module.add_function(wrap_pyfunction!(range_proof, module)?)?;
    module.add_function(wrap_pyfunction!(verify_leaves, module)?)?;
    module.add_function(wrap_pyfunction!(verify_range, module)?)
}
