//! Roots from paths by the tree rules (proofs.md 3.6), as gadgets.
//!
//! A circuit always computes every layer there may be, and takes the result of the one that is the
//! top. Keys keep trees of different shape apart: 1 in the bottom layer, 2 more for a node without a
//! right child.

use ark_bn254::Fr;
use ark_ff::{One, PrimeField, Zero};

use super::bits::{self, constrain_bit};
use super::builder::{Builder, Num};
use super::poseidon::compress;

fn constant<N: Num>(value: u64) -> N {
    N::from(Fr::from(value))
}

/// The parent of a node and its sibling, which is the left one if `bit` is one.
fn parent<B: Builder>(b: &mut B, node: B::Num, sibling: &B::Num, bit: &B::Num, key: B::Num) -> B::Num {
    let moved = b.product(&(sibling.clone() - node.clone()), bit);
    compress(b, node + moved.clone(), sibling.clone() - moved, key)
}

/// The root of a tree of 2^n leaves over the leaf with these index bits.
pub fn full_root<B: Builder>(b: &mut B, leaf: B::Num, bits: &[B::Num], path: &[B::Num]) -> B::Num {
    let mut node = leaf;
    for (layer, (bit, sibling)) in bits.iter().zip(path).enumerate() {
        node = parent(b, node, sibling, bit, constant(u64::from(layer == 0)));
    }
    node
}

/// How deep a tree of 2^d leaves is, `d` in `0..=n`: `n + 1` wires, of which the one at `d` is one
/// and the others are zero.
pub struct Depth<N> {
    at: Vec<N>,
}

impl<N: Num> Depth<N> {
    /// The depth for which 2^(d + shift) is `count`.
    pub fn of<B: Builder<Num = N>>(b: &mut B, count: &N, shift: usize, most: usize) -> Self {
        let at = b.list(count, most + 1, |count| {
            let count = count.into_bigint();
            (0..=most).map(|depth| Fr::from(u64::from(count == (1u64 << (depth + shift)).into()))).collect()
        });
        at.iter().for_each(|wire| constrain_bit(b, wire));
        let total = at.iter().fold(N::from(Fr::zero()), |sum, wire| sum + wire.clone());
        let clause = || format!("the cells of a slot are not a power of two from 2^{shift} to 2^{}", shift + most);
        b.demand_equal(total, constant(1), clause);
        b.demand_equal(bits::number(&at) * Fr::from(1u64 << shift), count.clone(), clause);
        Depth { at }
    }
}

/// That the leaf with these index bits leads to `root` in a tree of 2^depth leaves. A tree of one
/// leaf has one layer too, in which the leaf has no sibling.
pub fn demand_power_root<B: Builder>(
    b: &mut B,
    leaf: B::Num,
    (bits, path): (&[B::Num], &[B::Num]),
    depth: &Depth<B::Num>,
    root: &B::Num,
    place: &dyn Fn() -> String,
) {
    let single = &depth.at[0];
    let bit = b.product(&bits[0], &(constant::<B::Num>(1) - single.clone()));
    b.demand(path[0].clone(), single.clone(), constant(0), || {
        format!("{}: the path has a sibling in a slot of one block", place())
    });
    let mut node = leaf;
    for (layer, (own, sibling)) in bits.iter().zip(path).enumerate() {
        let (bit, key) = match layer {
            0 => (&bit, single.clone() * Fr::from(2) + Fr::one()),
            _ => (own, constant(0)),
        };
        node = parent(b, node, sibling, bit, key);
        let is_top = match layer {
            0 => single.clone() + depth.at[1].clone(),
            _ => depth.at[layer + 1].clone(),
        };
        b.demand(node.clone() - root.clone(), is_top, constant(0), || {
            format!("{}: the cell does not lead to the slot root", place())
        });
    }
}

/// That the leaf `index` leads to `root` in a tree of any `count` of leaves up to 2^n, where n is
/// the length of the path.
pub fn demand_any_root<B: Builder>(
    b: &mut B,
    leaf: B::Num,
    index: &B::Num,
    count: &B::Num,
    path: &[B::Num],
    root: &B::Num,
) {
    let most = path.len();
    let last = count.clone() + -Fr::one();
    let index_bits = bits::small(b, index, most, || format!("the slot index is not below 2^{most}"));
    let last_bits = bits::small(b, &last, most, || format!("the number of slots is not from 1 to 2^{most}"));
    bits::small(b, &(last - index.clone()), most, || "the slot index is not below the number of slots".into());
    let in_tree = reach(b, &last_bits);
    let odd = without_sibling(b, &index_bits, &last_bits);
    let mut node = leaf;
    for layer in 0..most {
        b.demand(path[layer].clone(), odd[layer].clone(), constant(0), || {
            format!("entry {layer} of the slot proof is not zero, but the slot has no sibling there")
        });
        let key = odd[layer].clone() * Fr::from(2) + Fr::from(u64::from(layer == 0));
        node = parent(b, node, &path[layer], &index_bits[layer], key);
        let above = in_tree.get(layer + 1).cloned().unwrap_or_else(|| constant(0));
        let is_top = if layer == 0 { constant::<B::Num>(1) } else { in_tree[layer].clone() } - above;
        b.demand(node.clone() - root.clone(), is_top, constant(0), || {
            "the slot root does not lead to the dataset root at this slot index".into()
        });
    }
}

/// For each layer whether the tree has it: whether a bit of the last index at or above it is one.
fn reach<B: Builder>(b: &mut B, last: &[B::Num]) -> Vec<B::Num> {
    let mut above = constant::<B::Num>(0);
    let mut layers: Vec<_> = last
        .iter()
        .rev()
        .map(|bit| {
            let both = b.product(&above, bit);
            above = above.clone() + bit.clone() - both;
            above.clone()
        })
        .collect();
    layers.reverse();
    layers
}

/// For each layer whether the node of the index is a left one and the last of its layer.
fn without_sibling<B: Builder>(b: &mut B, index: &[B::Num], last: &[B::Num]) -> Vec<B::Num> {
    let mut is_last = constant::<B::Num>(1);
    let mut layers: Vec<_> = index
        .iter()
        .zip(last)
        .rev()
        .map(|(bit, end)| {
            let both = b.product(bit, end);
            let equal = both * Fr::from(2) - bit.clone() - end.clone() + Fr::one();
            is_last = b.product(&equal, &is_last);
            b.product(&is_last, &(constant::<B::Num>(1) - bit.clone()))
        })
        .collect();
    layers.reverse();
    layers
}
