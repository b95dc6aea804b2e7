//! Digests of blocks: the root of the tree over the hashes of their cells (proofs.md 3.7).

use super::Path;
use super::batch::hash_cells;
use super::felt::Felt;
use super::tree::roots_into;

/// The digest of each block of `data`.
pub(super) fn digests_into(path: Path, data: &[u8], block_size: usize, cell_size: usize, out: &mut [Felt]) {
    let mut hashes = vec![Felt::default(); data.len() / cell_size];
    hash_cells(path, data, cell_size, &mut hashes);
    roots_into(path, hashes, block_size / cell_size, out);
}
