//! SHA-256 of many equal blocks at once.

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// Below this many bytes a second core costs more than it brings.
const PARALLEL_BYTES: usize = 512 * 1024;

/// Digest of each `block_size` piece of `data`; a short last piece is padded with zeros.
///
/// # Panics
/// When `block_size` is zero.
pub fn sha256_blocks(data: &[u8], block_size: usize) -> Vec<Digest> {
    assert!(block_size > 0, "block size must be positive");
    if data.len() < PARALLEL_BYTES {
        data.chunks(block_size).map(|block| padded_digest(block, block_size)).collect()
    } else {
        data.par_chunks(block_size).map(|block| padded_digest(block, block_size)).collect()
    }
}

fn padded_digest(block: &[u8], block_size: usize) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(block);
    let zeros = [0u8; 4096];
    let mut missing = block_size - block.len();
    while missing > 0 {
        let step = missing.min(zeros.len());
        hasher.update(&zeros[..step]);
        missing -= step;
    }
    hasher.finalize().into()
}
