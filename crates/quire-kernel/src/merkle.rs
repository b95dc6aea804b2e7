//! The keyed SHA-256 Merkle tree of Codex (content.md 2.1) and proofs of ranges of leaves.

use crate::parallel;
use crate::sha256::{self, Digest};

const ZERO: Digest = [0u8; 32];

/// The next layer up. `bottom` marks the layer of the leaves.
fn parents_into(layer: &[Digest], bottom: bool, out: &mut [Digest]) {
    let key = u8::from(bottom);
    let (pairs, single) = layer.as_chunks::<2>();
    let (whole, last) = out.split_at_mut(pairs.len());
    parallel::digest_pieces(pairs.as_flattened().as_flattened(), 64, &[key], whole);
    if let ([single], [last]) = (single, last) {
        sha256::digest_pieces([*single, ZERO].as_flattened(), 64, &[key + 2], std::slice::from_mut(last));
    }
}

fn parents(layer: &[Digest], bottom: bool) -> Vec<Digest> {
    let mut out = vec![ZERO; layer.len().div_ceil(2)];
    parents_into(layer, bottom, &mut out);
    out
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

/// Nodes of the tree over so many leaves; zero for none.
pub fn node_count(leaf_count: usize) -> usize {
    if leaf_count == 0 { 0 } else { layer_sizes(leaf_count).iter().sum() }
}

/// All layers, leaves first, root last. Empty for no leaves.
pub fn tree(leaves: &[Digest]) -> Vec<Digest> {
    let mut nodes = vec![ZERO; node_count(leaves.len())];
    tree_into(leaves, &mut nodes);
    nodes
}

/// The same into a slice of exactly [`node_count`] nodes.
///
/// # Panics
/// When `nodes` has another length.
pub fn tree_into(leaves: &[Digest], nodes: &mut [Digest]) {
    assert_eq!(nodes.len(), node_count(leaves.len()), "one place for each node");
    let (mut layer, mut above) = nodes.split_at_mut(leaves.len());
    layer.copy_from_slice(leaves);
    let mut bottom = true;
    while !above.is_empty() {
        let (next, rest) = above.split_at_mut(layer.len().div_ceil(2));
        parents_into(layer, bottom, next);
        (layer, above) = (next, rest);
        bottom = false;
    }
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
///
/// # Panics
/// When the range is empty or not inside a tree of `leaf_count` leaves, or `tree` is another tree.
pub fn range_proof(tree: &[Digest], leaf_count: usize, start: usize, count: usize) -> Vec<Digest> {
    let sizes = layer_sizes(leaf_count);
    let (mut low, mut high) = (start, start + count - 1);
    let mut base = 0;
    let mut proof = Vec::with_capacity(2 * sizes.len());
    for &size in &sizes[..sizes.len() - 1] {
        if low % 2 == 1 {
            proof.push(tree[base + low - 1]);
        }
        if high.is_multiple_of(2) && high + 1 < size {
            proof.push(tree[base + high + 1]);
        }
        base += size;
        low /= 2;
        high /= 2;
    }
    proof
}

/// The root that leaves at `start` and a proof lead to; `None` when the proof has another length.
///
/// # Panics
/// When the range is empty or not inside a tree of `leaf_count` leaves.
pub fn root_of_range(leaves: &[Digest], start: usize, leaf_count: usize, proof: &[Digest]) -> Option<Digest> {
    let sizes = layer_sizes(leaf_count);
    let mut proof = proof.iter();
    let mut low = start;
    let mut layer = Vec::with_capacity(leaves.len() + 2);
    layer.extend_from_slice(leaves);
    for (depth, &size) in sizes[..sizes.len() - 1].iter().enumerate() {
        let high = low + layer.len() - 1;
        if low % 2 == 1 {
            layer.insert(0, *proof.next()?);
        }
        if high.is_multiple_of(2) && high + 1 < size {
            layer.push(*proof.next()?);
        }
        layer = parents(&layer, depth == 0);
        low /= 2;
    }
    if proof.next().is_some() { None } else { layer.first().copied() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    fn leaves(count: usize) -> Vec<Digest> {
        (0..count).map(|i| Sha256::digest(i.to_be_bytes()).into()).collect()
    }

    /// The definition, one node at a time.
    fn slow_tree(leaves: &[Digest]) -> Vec<Digest> {
        let mut nodes = leaves.to_vec();
        let mut layer = leaves.to_vec();
        let mut bottom = 1;
        loop {
            layer = layer
                .chunks(2)
                .map(|pair| {
                    let (right, key) = pair.get(1).map_or((ZERO, bottom + 2), |right| (*right, bottom));
                    Sha256::new().chain_update(pair[0]).chain_update(right).chain_update([key]).finalize().into()
                })
                .collect();
            nodes.extend_from_slice(&layer);
            bottom = 0;
            if layer.len() == 1 {
                return nodes;
            }
        }
    }

    #[test]
    fn trees_of_all_small_sizes_follow_the_definition() {
        for count in 1..=130 {
            let leaves = leaves(count);
            let nodes = tree(&leaves);
            assert_eq!(nodes, slow_tree(&leaves), "{count} leaves");
            assert_eq!(root(&leaves), nodes.last().copied());
        }
    }

    #[test]
    fn a_tree_large_enough_for_all_cores_follows_the_definition() {
        let leaves = leaves(70_001);
        assert_eq!(tree(&leaves), slow_tree(&leaves));
    }

    #[test]
    fn no_leaves_have_no_tree() {
        assert!(tree(&[]).is_empty());
        assert_eq!(root(&[]), None);
    }

    #[test]
    fn every_range_of_small_trees_is_proved_and_every_change_is_noticed() {
        for count in 1..=18 {
            let leaves = leaves(count);
            let nodes = tree(&leaves);
            let root = *nodes.last().unwrap();
            for start in 0..count {
                for stop in start + 1..=count {
                    let range = &leaves[start..stop];
                    let proof = range_proof(&nodes, count, start, stop - start);
                    assert_eq!(root_of_range(range, start, count, &proof), Some(root));
                    let mut changed = range.to_vec();
                    changed[0][31] ^= 1;
                    assert_ne!(root_of_range(&changed, start, count, &proof), Some(root));
                    let mut longer = proof.clone();
                    longer.push(ZERO);
                    assert_eq!(root_of_range(range, start, count, &longer), None);
                    if let Some((_, shorter)) = proof.split_last() {
                        assert_eq!(root_of_range(range, start, count, shorter), None);
                    }
                    for at in 0..proof.len() {
                        let mut changed = proof.clone();
                        changed[at][0] ^= 0x80;
                        assert_ne!(root_of_range(range, start, count, &changed), Some(root));
                    }
                }
            }
        }
    }
}
