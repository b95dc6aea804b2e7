//! Poseidon2 over the scalar field of BN254, as Codex commits to slots with it (proofs.md 3).
//!
//! A [`Path`] is one way to hash many cells or nodes. Every path gives the same hashes, and tests
//! force each of them.

mod batch;
mod blocks;
mod constants;
mod felt;
mod field;
#[cfg(target_arch = "x86_64")]
mod ifma;
mod scalar;
mod sponge;
mod tree;

pub use constants::{EXTERNAL, INTERNAL};
pub use felt::{CHUNK, Felt, NotCanonical, check, felt_count, felts_of};
pub use sponge::Rate;
pub use tree::{depth, path_of, root_of_path};

/// One way to hash several cells or nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// One after the other in 64-bit words. Works everywhere.
    Scalar,
    /// Eight side by side, two such groups at a time, in AVX-512 IFMA registers; an odd last one by
    /// `Scalar`.
    Ifma,
}

impl Path {
    /// Every path.
    pub const ALL: [Self; 2] = [Self::Scalar, Self::Ifma];

    /// Whether this processor has the instructions.
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Ifma => ifma::Ifma::detect().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Ifma => false,
        }
    }

    /// The widest one that this processor has, which is the fastest by far.
    fn fastest() -> Self {
        if Self::Ifma.is_available() { Self::Ifma } else { Self::Scalar }
    }
}

/// The permutation of a state of canonical elements.
pub fn permute(state: &[Felt; 3]) -> Result<[Felt; 3], NotCanonical> {
    check(state)?;
    let mut parts = state.each_ref().map(scalar::fe_of);
    scalar::permute(&mut parts);
    Ok(parts.map(scalar::felt_of))
}

/// The keyed compression of two canonical elements.
pub fn compress(a: &Felt, b: &Felt, key: u64) -> Result<Felt, NotCanonical> {
    check(&[*a, *b])?;
    Ok(scalar::compress(a, b, key))
}

/// The sponge over canonical elements.
pub fn sponge(felts: &[Felt], rate: Rate) -> Result<Felt, NotCanonical> {
    check(felts)?;
    Ok(sponge::sponge(felts.iter().copied(), rate))
}

/// All layers of the tree over canonical leaves into exactly [`crate::merkle::node_count`] places,
/// on all cores.
///
/// # Panics
/// When `nodes` has another length.
pub fn tree_into(leaves: &[Felt], nodes: &mut [Felt]) {
    tree::tree_into(Path::fastest(), leaves, nodes);
}

/// The root over canonical leaves, or `None` for no leaves.
pub fn root(leaves: &[Felt]) -> Option<Felt> {
    if leaves.is_empty() {
        return None;
    }
    let mut root = [Felt::default()];
    tree::roots_into(Path::fastest(), leaves.to_vec(), leaves.len(), &mut root);
    Some(root[0])
}

/// The hash of each cell of data, on all cores.
///
/// # Panics
/// When `data` is not `out.len()` cells.
pub fn cell_hashes_into(data: &[u8], cell_size: usize, out: &mut [Felt]) {
    assert_eq!(Some(data.len()), cell_size.checked_mul(out.len()), "data must be whole cells");
    batch::hash_all(Path::fastest(), |index| batch::Cell(&data[index * cell_size..][..cell_size]), out);
}

/// The digest of each block of data, on all cores.
///
/// # Panics
/// When `data` is not `out.len()` blocks, or a block is not whole cells.
pub fn block_digests_into(data: &[u8], block_size: usize, cell_size: usize, out: &mut [Felt]) {
    block_digests_on(Path::fastest(), data, block_size, cell_size, out);
}

/// The same on one path, for tests and measurements. Falls back to `Scalar` when the processor does
/// not have the path.
///
/// # Panics
/// As [`block_digests_into`].
pub fn block_digests_on(path: Path, data: &[u8], block_size: usize, cell_size: usize, out: &mut [Felt]) {
    assert_eq!(Some(data.len()), block_size.checked_mul(out.len()), "data must be whole blocks");
    assert!(block_size > 0 && block_size.is_multiple_of(cell_size), "a block must be whole cells");
    blocks::digests_into(path, data, block_size, cell_size, out);
}

#[cfg(test)]
mod tests;
