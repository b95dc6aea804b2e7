//! Honest inputs for tests: a dataset of pseudo-random cells, opened by the rules of the kernel.

use ark_bn254::Fr;
use ark_ff::{PrimeField, Zero};
use quire_kernel::merkle::node_count;
use quire_kernel::poseidon2::{self, Felt, Rate};

use super::{Parameters, Sample, StorageInput};
use crate::bytes::{from_le, to_le};

/// A circuit in which every rule occurs and that is small enough for any check.
pub const SMALL: Parameters =
    Parameters { samples: 2, max_depth: 6, max_log2_slots: 3, block_depth: 2, cell_elements: 4 };

/// Splitmix64.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn element(&mut self) -> Fr {
        let bytes: Vec<u8> = (0..4).flat_map(|_| self.next().to_le_bytes()).collect();
        Fr::from_le_bytes_mod_order(&bytes)
    }
}

fn element(felt: &Felt) -> Fr {
    from_le(felt).expect("the kernel gives canonical elements")
}

fn sponge(elements: &[Fr]) -> Felt {
    let felts: Vec<Felt> = elements.iter().map(to_le).collect();
    poseidon2::sponge(&felts, Rate::Two).expect("canonical")
}

struct Tree {
    leaves: usize,
    nodes: Vec<Felt>,
}

impl Tree {
    fn over(leaves: &[Felt]) -> Self {
        let mut nodes = vec![Felt::default(); node_count(leaves.len())];
        poseidon2::tree_into(leaves, &mut nodes);
        Tree { leaves: leaves.len(), nodes }
    }

    fn root(&self) -> Felt {
        self.nodes[self.nodes.len() - 1]
    }

    fn path(&self, index: usize) -> Vec<Fr> {
        poseidon2::path_of(&self.nodes, self.leaves, index).iter().map(element).collect()
    }
}

fn filled(mut path: Vec<Fr>, length: usize) -> Vec<Fr> {
    path.resize(length, Fr::zero());
    path
}

/// The index of a sample, counted from 0 (proofs.md 4.1).
pub fn index_of(input: &StorageInput, sample: usize) -> usize {
    let hash = sponge(&[input.entropy, input.slot_root, Fr::from(sample as u64 + 1)]);
    (u64::from_le_bytes(*hash.first_chunk().expect("32 bytes")) & (input.cells - 1)) as usize
}

/// Slot `slot_index` of `slots` opened; it has 2^log2_cells cells.
pub fn honest(parameters: &Parameters, slots: u64, slot_index: u64, log2_cells: usize, seed: u64) -> StorageInput {
    let mut numbers = Numbers(seed);
    let per_block = 1 << parameters.block_depth;
    let cells: Vec<Vec<Fr>> =
        (0..1usize << log2_cells).map(|_| (0..parameters.cell_elements).map(|_| numbers.element()).collect()).collect();
    let hashes: Vec<Felt> = cells.iter().map(|cell| sponge(cell)).collect();
    let blocks: Vec<Tree> = hashes.chunks(per_block).map(Tree::over).collect();
    let slot = Tree::over(&blocks.iter().map(Tree::root).collect::<Vec<_>>());
    let mut roots: Vec<Felt> = (0..slots).map(|_| to_le(&numbers.element())).collect();
    roots[slot_index as usize] = slot.root();
    let dataset = Tree::over(&roots);
    let mut host = [0; 20];
    host.iter_mut().for_each(|byte| *byte = numbers.next() as u8);
    let mut input = StorageInput {
        entropy: numbers.element(),
        dataset_root: element(&dataset.root()),
        slot_index,
        host,
        slot_root: element(&slot.root()),
        cells: 1 << log2_cells,
        slots,
        slot_proof: filled(dataset.path(slot_index as usize), parameters.max_log2_slots),
        samples: Vec::new(),
    };
    for sample in 0..parameters.samples {
        let index = index_of(&input, sample);
        let mut path = blocks[index / per_block].path(index % per_block);
        path.extend(slot.path(index / per_block));
        input.samples.push(Sample { cell: cells[index].clone(), path: filled(path, parameters.max_depth) });
    }
    input
}
