//! Trees over field elements: the shape of `crate::merkle`, nodes by keyed compression
//! (proofs.md 3.6).

use super::Path;
use super::batch::{Node, hash_all};
use super::felt::Felt;
use super::scalar::compress;
use crate::merkle::{layer_sizes, node_count};

const ZERO: Felt = [0; 32];

/// The key of a node: bit 0 for the layer above the leaves, bit 1 for a node of one child.
const fn key(bottom: bool, single: bool) -> u8 {
    bottom as u8 + 2 * single as u8
}

/// The next layer up of trees of one size that lie one after the other.
pub(super) fn parents_into(path: Path, layers: &[Felt], width: usize, bottom: bool, out: &mut [Felt]) {
    let above = width.div_ceil(2);
    let node = |index: usize| {
        let (tree, place) = (index / above, index % above);
        let children = &layers[tree * width..][..width][2 * place..];
        let right = children.get(1);
        Node { left: children[0], right: *right.unwrap_or(&ZERO), key: key(bottom, right.is_none()) }
    };
    hash_all(path, node, out);
}

/// All layers into exactly [`node_count`] places, leaves first.
///
/// # Panics
/// When `nodes` has another length.
pub(super) fn tree_into(path: Path, leaves: &[Felt], nodes: &mut [Felt]) {
    assert_eq!(nodes.len(), node_count(leaves.len()), "one place for each node");
    let (mut layer, mut above) = nodes.split_at_mut(leaves.len());
    layer.copy_from_slice(leaves);
    let mut bottom = true;
    while !above.is_empty() {
        let (next, rest) = above.split_at_mut(layer.len().div_ceil(2));
        parents_into(path, layer, layer.len(), bottom, next);
        (layer, above) = (next, rest);
        bottom = false;
    }
}

/// The roots of trees of `width` leaves that lie one after the other.
pub(super) fn roots_into(path: Path, leaves: Vec<Felt>, width: usize, out: &mut [Felt]) {
    let (mut layers, mut width, mut bottom) = (leaves, width, true);
    while bottom || width > 1 {
        let above = width.div_ceil(2);
        let mut next = vec![ZERO; out.len() * above];
        parents_into(path, &layers, width, bottom, &mut next);
        (layers, width, bottom) = (next, above, false);
    }
    out.copy_from_slice(&layers);
}

/// The sibling of each layer from the leaves up, zero where there is none.
///
/// # Panics
/// When the index is outside, or `nodes` are not a tree of so many leaves.
pub fn path_of(nodes: &[Felt], leaf_count: usize, index: usize) -> Vec<Felt> {
    assert!(index < leaf_count && nodes.len() == node_count(leaf_count), "a leaf of this tree");
    let sizes = layer_sizes(leaf_count);
    let (mut rest, mut place) = (nodes, index);
    let mut path = Vec::with_capacity(sizes.len() - 1);
    for &size in &sizes[..sizes.len() - 1] {
        let (layer, above) = rest.split_at(size);
        path.push(layer.get(place ^ 1).copied().unwrap_or(ZERO));
        (rest, place) = (above, place / 2);
    }
    path
}

/// The root that a canonical leaf and the siblings of its path lead to. `None` when the leaf is
/// outside or the path has another length.
pub fn root_of_path(leaf: &Felt, index: usize, leaf_count: usize, path: &[Felt]) -> Option<Felt> {
    if index >= leaf_count || path.len() != depth(leaf_count) {
        return None;
    }
    let (mut node, mut place, mut size) = (*leaf, index, leaf_count);
    for (layer, sibling) in path.iter().enumerate() {
        let single = place % 2 == 0 && place + 1 == size;
        let (left, right) = if place % 2 == 1 { (sibling, &node) } else { (&node, sibling) };
        node = compress(left, right, key(layer == 0, single).into());
        (place, size) = (place / 2, size.div_ceil(2));
    }
    Some(node)
}

/// Layers above the leaves.
pub fn depth(leaf_count: usize) -> usize {
    layer_sizes(leaf_count).len() - 1
}
