//! Digests of blocks: the root of the tree over the hashes of their cells (proofs.md 3.7).

use super::Path;
use super::batch::{Cell, hash_all};
use super::felt::Felt;
use super::tree::roots_into;
use crate::parallel;
use std::sync::OnceLock;

/// A task is at least so many cells, so that the upper layers of several trees are done together.
const TASK_CELLS: usize = 64;

/// The digest of each block of `data`. Blocks of zeros, as pads are, are hashed once.
pub(super) fn digests_into(path: Path, data: &[u8], block_size: usize, cell_size: usize, out: &mut [Felt]) {
    let cells = block_size / cell_size;
    let of_zeros = OnceLock::new();
    parallel::fill(out, TASK_CELLS.div_ceil(cells), |first, out| {
        let block = |index: usize| &data[(first + index) * block_size..][..block_size];
        let (zero, full): (Vec<usize>, Vec<usize>) = (0..out.len()).partition(|index| is_zero(block(*index)));
        let mut hashes = vec![Felt::default(); full.len() * cells];
        let cell = |index: usize| Cell(&block(full[index / cells])[index % cells * cell_size..][..cell_size]);
        hash_all(path, cell, &mut hashes);
        let mut digests = vec![Felt::default(); full.len()];
        roots_into(path, hashes, cells, &mut digests);
        for (index, digest) in full.iter().zip(digests) {
            out[*index] = digest;
        }
        for index in zero {
            out[index] = *of_zeros.get_or_init(|| zero_digest(path, cells, cell_size));
        }
    });
}

fn is_zero(block: &[u8]) -> bool {
    block.chunks(4096).all(|part| part.iter().fold(0, |all, byte| all | byte) == 0)
}

fn zero_digest(path: Path, cells: usize, cell_size: usize) -> Felt {
    let (zeros, mut hash, mut digest) = (vec![0; cell_size], [Felt::default()], [Felt::default()]);
    hash_all(path, |_| Cell(&zeros), &mut hash);
    roots_into(path, hash.repeat(cells), cells, &mut digest);
    digest[0]
}
