//! Many hashes of one kind, on one path.

use super::Path;
use super::felt::Felt;
use super::scalar::compress;
use super::sponge::hash_cell;

/// What one node of a tree is made of.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) left: Felt,
    pub(super) right: Felt,
    pub(super) key: u8,
}

/// The node of each index.
pub(super) fn compress_nodes(_path: Path, node: impl Fn(usize) -> Node, out: &mut [Felt]) {
    for (index, hash) in out.iter_mut().enumerate() {
        let Node { left, right, key } = node(index);
        *hash = compress(&left, &right, key.into());
    }
}

/// The hash of each cell.
pub(super) fn hash_cells(_path: Path, cells: &[u8], cell_size: usize, out: &mut [Felt]) {
    for (cell, hash) in cells.chunks_exact(cell_size).zip(out) {
        *hash = hash_cell(cell);
    }
}
