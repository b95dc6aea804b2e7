//! What a storage proof says (proofs.md 4.4), with the host as fourth public input.

use ark_bn254::Fr;
use ark_ff::One;

use super::bits;
use super::builder::Builder;
use super::parameters::{Parameters, inputs};
use super::poseidon::{absorb, empty_sponge, sponge};
use super::tree::{Depth, demand_any_root, demand_power_root, full_root};

/// Lays the whole statement over a builder.
pub fn lay<B: Builder>(b: &mut B, parameters: &Parameters) {
    let [entropy, dataset_root, slot_index, host] = [1, 2, 3, 4].map(|wire| b.input(wire));
    let [slot_root, cells, slots] = [inputs::SLOT_ROOT, inputs::CELLS, inputs::SLOTS].map(|wire| b.input(wire));
    // Nothing else speaks of the host: this copy of it keeps its wire in the statement. A square
    // would do the same for its opposite.
    b.product(&host, &B::Num::from(Fr::one()));
    let path = take(b, parameters.slot_proof());
    demand_any_root(b, slot_root.clone(), &slot_index, &slots, &path, &dataset_root);
    let above_block = parameters.max_depth - parameters.block_depth;
    let depth = Depth::of(b, &cells, parameters.block_depth, above_block);
    // The sponge has taken in the same two elements for every sample.
    let begun = absorb(b, empty_sponge(), entropy, slot_root.clone());
    for sample in 0..parameters.samples {
        let counter = B::Num::from(Fr::from(sample as u64 + 1));
        let [hash, ..] = absorb(b, begun.clone(), counter, B::Num::from(Fr::one()));
        let index = bits::canonical(b, &hash);
        let cell = take(b, parameters.cell(sample));
        let leaf = sponge(b, cell);
        let path = take(b, parameters.path(sample));
        let (block_path, slot_path) = path.split_at(parameters.block_depth);
        let (block_index, rest) = index.split_at(parameters.block_depth);
        let block = full_root(b, leaf, block_index, block_path);
        let place = || format!("sample {} of {}", sample + 1, parameters.samples);
        demand_power_root(b, block, (&rest[..above_block], slot_path), &depth, &slot_root, &place);
    }
}

fn take<B: Builder>(b: &B, wires: std::ops::Range<usize>) -> Vec<B::Num> {
    wires.map(|wire| b.input(wire)).collect()
}
