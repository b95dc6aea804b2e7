//! Doors to `quire_kernel::poseidon2`.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use quire_kernel::merkle::node_count;
use quire_kernel::poseidon2::{self, Felt, NotCanonical, Rate};

use crate::buffers::bytes_of;

fn bad(reason: impl ToString) -> PyErr {
    PyValueError::new_err(reason.to_string())
}

fn refused(problem: NotCanonical) -> PyErr {
    bad(problem)
}

/// The elements of a buffer. Whether they are canonical is for the kernel to say.
fn felts_of<'a>(buffer: &'a PyBuffer<u8>, what: &str) -> PyResult<&'a [Felt]> {
    let bytes = bytes_of(buffer)?;
    match bytes.as_chunks::<32>() {
        (felts, []) => Ok(felts),
        _ => Err(bad(format!("{what} must be a multiple of 32 bytes, not {}", bytes.len()))),
    }
}

fn exactly<'a, const N: usize>(buffer: &'a PyBuffer<u8>, what: &str) -> PyResult<&'a [Felt; N]> {
    let felts = felts_of(buffer, what)?;
    felts.try_into().map_err(|_| bad(format!("{what} must be {} bytes, not {}", 32 * N, 32 * felts.len())))
}

/// Canonical leaves.
fn leaves_of<'a>(py: Python<'_>, buffer: &'a PyBuffer<u8>) -> PyResult<&'a [Felt]> {
    let leaves = felts_of(buffer, "leaves")?;
    py.detach(|| poseidon2::check(leaves)).map_err(refused)?;
    Ok(leaves)
}

fn filled<'py>(py: Python<'py>, count: usize, fill: impl FnOnce(&mut [Felt]) + Send) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, count * size_of::<Felt>(), |bytes| {
        py.detach(|| fill(bytes.as_chunks_mut().0));
        Ok(())
    })
}

/// How many pieces of `size` make up the whole, or an error in words.
fn pieces(whole: usize, size: usize, what: &str) -> PyResult<usize> {
    if size == 0 || !whole.is_multiple_of(size) {
        return Err(bad(format!("{whole} bytes are not whole {what} of {size}")));
    }
    Ok(whole / size)
}

#[pyfunction]
fn poseidon2_permute<'py>(py: Python<'py>, state: PyBuffer<u8>) -> PyResult<Bound<'py, PyBytes>> {
    let permuted = poseidon2::permute(exactly(&state, "state")?).map_err(refused)?;
    Ok(PyBytes::new(py, permuted.as_flattened()))
}

#[pyfunction]
fn poseidon2_compress<'py>(
    py: Python<'py>,
    a: PyBuffer<u8>,
    b: PyBuffer<u8>,
    key: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    let ([a], [b]) = (exactly(&a, "a")?, exactly(&b, "b")?);
    Ok(PyBytes::new(py, &poseidon2::compress(a, b, key).map_err(refused)?))
}

#[pyfunction]
fn poseidon2_felts<'py>(py: Python<'py>, data: PyBuffer<u8>) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = bytes_of(&data)?;
    filled(py, poseidon2::felt_count(bytes.len()), |out| {
        out.iter_mut().zip(poseidon2::felts_of(bytes)).for_each(|(place, felt)| *place = felt);
    })
}

#[pyfunction]
fn poseidon2_sponge<'py>(py: Python<'py>, felts: PyBuffer<u8>, rate: u8) -> PyResult<Bound<'py, PyBytes>> {
    let felts = felts_of(&felts, "felts")?;
    let rate = match rate {
        1 => Rate::One,
        2 => Rate::Two,
        _ => return Err(bad(format!("the rate of the sponge is 1 or 2, not {rate}"))),
    };
    let hash = py.detach(|| poseidon2::sponge(felts, rate)).map_err(refused)?;
    Ok(PyBytes::new(py, &hash))
}

#[pyfunction]
fn poseidon2_cells(py: Python<'_>, data: PyBuffer<u8>, cell_size: usize) -> PyResult<Bound<'_, PyBytes>> {
    let bytes = bytes_of(&data)?;
    let count = pieces(bytes.len(), cell_size, "cells")?;
    filled(py, count, |out| poseidon2::cell_hashes_into(bytes, cell_size, out))
}

#[pyfunction]
fn poseidon2_blocks(
    py: Python<'_>,
    data: PyBuffer<u8>,
    block_size: usize,
    cell_size: usize,
) -> PyResult<Bound<'_, PyBytes>> {
    let bytes = bytes_of(&data)?;
    let count = pieces(bytes.len(), block_size, "blocks")?;
    pieces(block_size, cell_size, "cells")?;
    filled(py, count, |out| poseidon2::block_digests_into(bytes, block_size, cell_size, out))
}

#[pyfunction]
fn poseidon2_tree(py: Python<'_>, leaves: PyBuffer<u8>) -> PyResult<Bound<'_, PyBytes>> {
    let leaves = leaves_of(py, &leaves)?;
    if leaves.is_empty() {
        return Err(bad("a tree needs at least one leaf"));
    }
    filled(py, node_count(leaves.len()), |out| poseidon2::tree_into(leaves, out))
}

#[pyfunction]
fn poseidon2_root(py: Python<'_>, leaves: PyBuffer<u8>) -> PyResult<Bound<'_, PyBytes>> {
    let leaves = leaves_of(py, &leaves)?;
    let root = py.detach(|| poseidon2::root(leaves));
    let root = root.ok_or_else(|| bad("a tree needs at least one leaf"))?;
    Ok(PyBytes::new(py, &root))
}

fn check_index(index: usize, leaf_count: usize) -> PyResult<()> {
    if index < leaf_count {
        return Ok(());
    }
    Err(bad(format!("leaf {index} is not in a tree of {leaf_count} leaves")))
}

#[pyfunction]
fn poseidon2_path<'py>(
    py: Python<'py>,
    tree: PyBuffer<u8>,
    leaf_count: usize,
    index: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let nodes = felts_of(&tree, "tree")?;
    check_index(index, leaf_count)?;
    if leaf_count > nodes.len() || nodes.len() != node_count(leaf_count) {
        return Err(bad(format!("{} nodes are not a tree of {leaf_count} leaves", nodes.len())));
    }
    Ok(PyBytes::new(py, poseidon2::path_of(nodes, leaf_count, index).as_flattened()))
}

#[pyfunction]
fn poseidon2_root_of_path<'py>(
    py: Python<'py>,
    leaf: PyBuffer<u8>,
    index: usize,
    leaf_count: usize,
    path: PyBuffer<u8>,
) -> PyResult<Bound<'py, PyBytes>> {
    let [leaf] = exactly(&leaf, "leaf")?;
    let path = felts_of(&path, "path")?;
    check_index(index, leaf_count)?;
    poseidon2::check(&[*leaf]).and_then(|()| poseidon2::check(path)).map_err(refused)?;
    let root = poseidon2::root_of_path(leaf, index, leaf_count, path);
    let root =
        root.ok_or_else(|| bad(format!("{} siblings are not a path in a tree of {leaf_count} leaves", path.len())))?;
    Ok(PyBytes::new(py, &root))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(poseidon2_permute, module)?)?;
    module.add_function(wrap_pyfunction!(poseidon2_compress, module)?)?;
    module.add_function(wrap_pyfunction!(poseidon2_felts, module)?)?;
    module.add_function(wrap_pyfunction!(poseidon2_sponge, module)?)?;
    module.add_function(wrap_pyfunction!(poseidon2_cells, module)?)?;
    module.add_function(wrap_pyfunction!(poseidon2_blocks, module)?)?;
    module.add_function(wrap_pyfunction!(poseidon2_tree, module)?)?;
    module.add_function(wrap_pyfunction!(poseidon2_root, module)?)?;
    module.add_function(wrap_pyfunction!(poseidon2_path, module)?)?;
    module.add_function(wrap_pyfunction!(poseidon2_root_of_path, module)?)
}
