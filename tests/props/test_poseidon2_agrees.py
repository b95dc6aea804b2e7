"""Poseidon2 of the kernel and of its slow twin are one for any sizes and any felts."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from oracles import poseidon2 as oracle
from quire.kernels import poseidon2

seeds = st.integers(0, 1 << 32)
felts = st.integers(0, oracle.MODULUS - 1).map(lambda number: number.to_bytes(32, "little"))


@settings(max_examples=50)
@given(seeds, st.integers(1, 200), st.integers(1, 12))
def test_hashes_of_cells(seed, cell_size, count):
    data = random.Random(seed).randbytes(cell_size * count)
    assert poseidon2.cell_hashes(data, cell_size) == oracle.cell_hashes(data, cell_size)


@settings(max_examples=25)
@given(seeds, st.integers(1, 70), st.integers(1, 6), st.integers(1, 5), st.data())
def test_digests_of_blocks_some_of_them_zeros(seed, cell_size, cells, count, data):
    block_size = cell_size * cells
    blocks = [random.Random(seed + i).randbytes(block_size) for i in range(count)]
    for index in data.draw(st.sets(st.integers(0, count - 1))):
        blocks[index] = bytes(block_size)
    joined = b"".join(blocks)
    found = poseidon2.block_digests(joined, block_size, cell_size)
    assert found == oracle.block_digests(joined, block_size, cell_size)


@settings(max_examples=50)
@given(st.lists(felts, min_size=1, max_size=20), st.data())
def test_trees_paths_and_sponges(leaves, data):
    joined, count = b"".join(leaves), len(leaves)
    layers = poseidon2.tree(joined)
    assert layers == oracle.tree(joined)
    index = data.draw(st.integers(0, count - 1))
    path = poseidon2.path(layers, count, index)
    assert path == oracle.path(joined, index)
    assert poseidon2.root_of_path(leaves[index], index, count, path) == layers[-32:]
    rate = data.draw(st.sampled_from([1, 2]))
    assert poseidon2.sponge(joined, rate) == oracle.sponge(joined, rate)
