//! The keyed SHA-256 Merkle tree of Codex (content.md 2.1) and proofs of ranges of leaves.

use crate::hash::Digest;
use sha2::{Digest as _, Sha256};

const ZERO: Digest = [0u8; 32];

fn compress(left: &Digest, right: &Digest, key: u8) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(left);
    hasher.update(right);
    hasher.update([key]);
    hasher.finalize().into()
}

/// The next layer up. `bottom` marks the layer of the leaves.
fn parents(layer: &[Digest], bottom: bool) -> Vec<Digest> {
    let key = u8::from(bottom);
    layer
        .chunks(2)
        .map(|pair| match pair {
            [left, right] => compress(left, right, key),
            [single] => compress(single, &ZERO, key + 2),
            _ => unreachable!("chunks of two"),
        })
        .collect()
}

/// Sizes of the layers, leaves first. One leaf still has a parent.
pub fn layer_sizes(leaf_count: usize) -> Vec<usize> {
    let mut sizes = vec![leaf_count];
    let mut size = leaf_count;
    loop {
        size = size.div_ceil(2);
        sizes.push(size);
        if size <= 1 {
            return sizes;
        }
    }
}

/// All layers, leaves first, root last. Empty for no leaves.
pub fn tree(leaves: &[Digest]) -> Vec<Digest> {
    if leaves.is_empty() {
        return Vec::new();
    }
    let mut nodes = leaves.to_vec();
    let mut layer = leaves.to_vec();
    let mut bottom = true;
    while bottom || layer.len() > 1 {
        layer = parents(&layer, bottom);
        nodes.extend_from_slice(&layer);
        bottom = false;
    }
    nodes
}

/// The root over the leaves, or `None` for no leaves.
pub fn root(leaves: &[Digest]) -> Option<Digest> {
    if leaves.is_empty() {
        return None;
    }
    let mut layer = parents(leaves, true);
    while layer.len() > 1 {
        layer = parents(&layer, false);
    }
    Some(layer[0])
}

/// The digests besides leaves `[start, start + count)` that the root needs, bottom layer first.
pub fn range_proof(tree: &[Digest], leaf_count: usize, start: usize, count: usize) -> Vec<Digest> {
    let sizes = layer_sizes(leaf_count);
    let (mut low, mut high) = (start, start + count - 1);
    let mut base = 0;
    let mut proof = Vec::new();
    for &size in &sizes[..sizes.len() - 1] {
        if low % 2 == 1 {
            proof.push(tree[base + low - 1]);
        }
        if high % 2 == 0 && high + 1 < size {
            proof.push(tree[base + high + 1]);
        }
        base += size;
        low /= 2;
        high /= 2;
    }
    proof
}

/// The root that leaves at `start` and a proof lead to; `None` when the proof has another length.
pub fn root_of_range(leaves: &[Digest], start: usize, leaf_count: usize, proof: &[Digest]) -> Option<Digest> {
    let sizes = layer_sizes(leaf_count);
    let mut proof = proof.iter();
    let mut low = start;
    let mut layer = leaves.to_vec();
    let mut bottom = true;
    for &size in &sizes[..sizes.len() - 1] {
        let high = low + layer.len() - 1;
        if low % 2 == 1 {
            layer.insert(0, *proof.next()?);
            low -= 1;
        }
        if high % 2 == 0 && high + 1 < size {
            layer.push(*proof.next()?);
        }
        layer = parents(&layer, bottom);
        bottom = false;
        low /= 2;
    }
    if proof.next().is_some() { None } else { Some(layer[0]) }
}
