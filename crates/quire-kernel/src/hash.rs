//! SHA-256 of the blocks of a dataset.

use crate::parallel;
use sha2::{Digest as _, Sha256};

pub use crate::sha256::Digest;

/// Digest of each `block_size` piece of `data`; a short last piece is padded with zeros.
///
/// # Panics
/// When `block_size` is zero.
pub fn sha256_blocks(data: &[u8], block_size: usize) -> Vec<Digest> {
    let mut digests = vec![Digest::default(); data.len().div_ceil(block_size)];
    sha256_blocks_into(data, block_size, &mut digests);
    digests
}

/// The same into a slice of exactly as many digests as there are blocks.
///
/// # Panics
/// When `block_size` is zero or `out` has another length.
pub fn sha256_blocks_into(data: &[u8], block_size: usize, out: &mut [Digest]) {
    assert!(block_size > 0, "block size must be positive");
    assert_eq!(out.len(), data.len().div_ceil(block_size), "one digest for each block");
    let whole = data.len() / block_size;
    let (full, short) = data.split_at(whole * block_size);
    parallel::digest_pieces(full, block_size, &[], &mut out[..whole]);
    if !short.is_empty() {
        out[whole] = padded_digest(short, block_size);
    }
}

fn padded_digest(block: &[u8], block_size: usize) -> Digest {
    let mut hasher = Sha256::new_with_prefix(block);
    let zeros = [0u8; 4096];
    let mut missing = block_size - block.len();
    while missing > 0 {
        let step = missing.min(zeros.len());
        hasher.update(&zeros[..step]);
        missing -= step;
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_last_block_is_padded_with_zeros() {
        let data = [7u8; 5000];
        let mut padded = data.to_vec();
        padded.resize(8192, 0);
        let expected: Vec<Digest> = padded.chunks(4096).map(|b| Sha256::digest(b).into()).collect();
        assert_eq!(sha256_blocks(&data, 4096), expected);
    }

    #[test]
    fn no_data_has_no_digests() {
        assert!(sha256_blocks(&[], 4096).is_empty());
    }

    #[test]
    fn many_blocks_agree_with_one_at_a_time() {
        let data: Vec<u8> = (0..9 * 1024 * 1024 + 17u32).map(|i| (i % 251) as u8).collect();
        let digests = sha256_blocks(&data, 65536);
        for (block, digest) in data.chunks_exact(65536).zip(&digests) {
            assert_eq!(<Digest>::from(Sha256::digest(block)), *digest);
        }
        assert_eq!(digests.len(), 145);
    }

    #[test]
    #[should_panic(expected = "positive")]
    fn a_block_size_of_zero_is_refused() {
        sha256_blocks_into(&[1], 0, &mut []);
    }
}
