//! Every path against an implementation of another kind: arkworks' field, written by definition.

use super::*;
use crate::merkle::node_count;
use ark_bn254::Fr;
use ark_ff::{BigInteger, Field, PrimeField};

fn fr(felt: &Felt) -> Fr {
    Fr::from_le_bytes_mod_order(felt)
}

fn felt(number: Fr) -> Felt {
    number.into_bigint().to_bytes_le().try_into().unwrap()
}

fn slow_permutation(mut state: [Fr; 3]) -> [Fr; 3] {
    let constant = |words: &[u64; 4]| Fr::from_bigint(ark_ff::BigInt(*words)).unwrap();
    let mix = |[x, y, z]: [Fr; 3]| [x + x + y + z, x + y + y + z, x + y + z + z];
    let external = |state: [Fr; 3], constants: &[[u64; 4]; 3]| {
        mix(std::array::from_fn(|i| (state[i] + constant(&constants[i])).pow([5])))
    };
    state = mix(state);
    for constants in &EXTERNAL[..4] {
        state = external(state, constants);
    }
    for words in &INTERNAL {
        let [x, y, z] = state;
        let x = (x + constant(words)).pow([5]);
        state = [x + x + y + z, x + y + y + z, x + y + z + z + z];
    }
    for constants in &EXTERNAL[4..] {
        state = external(state, constants);
    }
    state
}

fn slow_compress(left: &Felt, right: &Felt, key: u8) -> Felt {
    felt(slow_permutation([fr(left), fr(right), Fr::from(key)])[0])
}

fn slow_cell(data: &[u8]) -> Felt {
    let mut state = [Fr::from(0), Fr::from(0), Fr::from((1u128 << 64) + 770)];
    let mut numbers: Vec<Fr> = data.chunks_exact(31).map(Fr::from_le_bytes_mod_order).collect();
    numbers.push(Fr::from_le_bytes_mod_order(&[data.chunks_exact(31).remainder(), &[1]].concat()));
    numbers.push(Fr::from(1));
    numbers.resize(numbers.len().next_multiple_of(2), Fr::from(0));
    for pair in numbers.chunks(2) {
        state = slow_permutation([state[0] + pair[0], state[1] + pair[1], state[2]]);
    }
    felt(state[0])
}

fn slow_tree(leaves: &[Felt]) -> Vec<Felt> {
    let (mut nodes, mut layer, mut bottom) = (leaves.to_vec(), leaves.to_vec(), 1);
    while bottom == 1 || layer.len() > 1 {
        let parent = |pair: &[Felt]| match pair {
            [left, right] => slow_compress(left, right, bottom),
            _ => slow_compress(&pair[0], &[0; 32], bottom + 2),
        };
        layer = layer.chunks(2).map(parent).collect();
        nodes.extend_from_slice(&layer);
        bottom = 0;
    }
    nodes
}

/// Bytes without a short period.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut x = seed ^ 0x9e37_79b9_7f4a_7c15;
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 32) as u8
        })
        .collect()
}

/// Random elements, among them the smallest and the largest.
fn elements(count: usize) -> Vec<Felt> {
    let edges = [Fr::from(0), Fr::from(1), -Fr::from(1), -Fr::from(2), Fr::from(1) / Fr::from(2)];
    let random = noise(count * 64, 3);
    let random = random.chunks_exact(64).map(|bytes| felt(Fr::from_le_bytes_mod_order(bytes)));
    edges.into_iter().map(felt).chain(random).take(count).collect()
}

#[test]
fn states_are_permuted_as_by_arkworks() {
    let elements = elements(120);
    let edges = elements[..5].iter().map(|edge| [*edge; 3]);
    for state in elements.windows(3).map(|state| state.try_into().unwrap()).chain(edges) {
        let expected = slow_permutation(state.each_ref().map(fr)).map(felt);
        assert_eq!(permute(&state), Ok(expected));
    }
}

#[test]
fn every_path_hashes_cells_of_all_shapes_as_arkworks() {
    for cell_size in [1, 30, 31, 32, 61, 62, 63, 93, 124, 200] {
        for count in [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 24, 25, 33] {
            let data = noise(cell_size * count, 1);
            let expected: Vec<Felt> = data.chunks_exact(cell_size).map(slow_cell).collect();
            for path in Path::ALL {
                let mut out = vec![[0xEE; 32]; count];
                let cell = |index: usize| batch::Cell(&data[index * cell_size..][..cell_size]);
                batch::hash_all(path, cell, &mut out);
                assert_eq!(out, expected, "{path:?}, {count} cells of {cell_size}");
            }
        }
    }
}

#[test]
fn every_path_hashes_cells_of_the_highest_and_lowest_bytes() {
    let data: Vec<u8> = (0..16).flat_map(|cell| [[0x00, 0xFF, 0x01, 0x80][cell % 4]; 2048]).collect();
    let expected: Vec<Felt> = data.chunks_exact(2048).map(slow_cell).collect();
    for path in Path::ALL {
        let mut out = vec![[0xEE; 32]; 16];
        batch::hash_all(path, |index| batch::Cell(&data[index * 2048..][..2048]), &mut out);
        assert_eq!(out, expected, "{path:?}");
    }
}

#[test]
fn every_path_compresses_every_pair_of_edges_with_every_key() {
    let elements = elements(12);
    let node = |index: usize| batch::Node {
        left: elements[index / 4 % 12],
        right: elements[index / 48],
        key: (index % 4) as u8,
    };
    let count = 4 * 12 * 12;
    let slow = |index: usize| slow_compress(&node(index).left, &node(index).right, node(index).key);
    let expected: Vec<Felt> = (0..count).map(slow).collect();
    for path in Path::ALL {
        let mut out = vec![[0xEE; 32]; count];
        batch::hash_all(path, node, &mut out);
        assert_eq!(out, expected, "{path:?}");
    }
}

#[test]
fn every_path_builds_trees_of_all_small_sizes() {
    for count in (1..=40).chain([64, 65, 700]) {
        let leaves = elements(count);
        let expected = slow_tree(&leaves);
        for path in Path::ALL {
            let mut nodes = vec![[0xEE; 32]; node_count(count)];
            tree::tree_into(path, &leaves, &mut nodes);
            assert_eq!(nodes, expected, "{path:?}, {count} leaves");
        }
        assert_eq!(root(&leaves), expected.last().copied());
    }
    assert_eq!(root(&[]), None);
}

#[test]
fn every_path_digests_blocks_and_passes_over_zeros() {
    for (cells, count) in [(1, 1), (1, 70), (2, 3), (3, 40), (5, 17), (32, 5)] {
        let (cell_size, block_size) = (64, 64 * cells);
        let mut data = noise(block_size * count, 5);
        for zero in (1..count).step_by(3) {
            data[zero * block_size..][..block_size].fill(0);
        }
        let digest = |block: &[u8]| *slow_tree(&block.chunks(64).map(slow_cell).collect::<Vec<_>>()).last().unwrap();
        let expected: Vec<Felt> = data.chunks(block_size).map(digest).collect();
        for path in Path::ALL {
            let mut out = vec![[0xEE; 32]; count];
            block_digests_on(path, &data, block_size, cell_size, &mut out);
            assert_eq!(out, expected, "{path:?}, {count} blocks of {cells} cells");
        }
    }
}

#[test]
fn every_leaf_has_a_path_to_the_root() {
    for count in [1, 2, 3, 7, 12] {
        let leaves = elements(count);
        let mut nodes = vec![[0; 32]; node_count(count)];
        tree_into(&leaves, &mut nodes);
        for (index, leaf) in leaves.iter().enumerate() {
            let path = path_of(&nodes, count, index);
            assert_eq!(root_of_path(leaf, index, count, &path), nodes.last().copied());
            assert_ne!(root_of_path(&felt(Fr::from(9)), index, count, &path), nodes.last().copied());
            assert_eq!(root_of_path(leaf, count, count, &path), None);
            assert_eq!(root_of_path(leaf, index, count, &path[1..]), None);
            assert_eq!(root_of_path(leaf, index, count, &[&path[..], &[[0; 32]]].concat()), None);
        }
    }
}

#[test]
fn what_is_not_below_the_modulus_is_found() {
    let mut modulus = felt(-Fr::from(1));
    modulus[0] += 1;
    let one = felt(Fr::from(1));
    assert_eq!(check(&[one, felt(-Fr::from(1))]), Ok(()));
    assert_eq!(check(&[one, modulus]), Err(NotCanonical { index: 1 }));
    assert_eq!(permute(&[one, one, [0xFF; 32]]), Err(NotCanonical { index: 2 }));
    assert_eq!(compress(&modulus, &one, 0), Err(NotCanonical { index: 0 }));
    assert_eq!(sponge(&[modulus], Rate::One), Err(NotCanonical { index: 0 }));
}

#[test]
#[should_panic(expected = "whole blocks")]
fn data_that_is_not_whole_blocks_is_refused() {
    block_digests_into(&[0; 65], 64, 64, &mut [Felt::default()]);
}

#[test]
#[should_panic(expected = "whole cells")]
fn blocks_that_are_not_whole_cells_are_refused() {
    block_digests_into(&[0; 65], 65, 64, &mut [Felt::default()]);
}
