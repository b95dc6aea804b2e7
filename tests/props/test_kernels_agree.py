"""The compiled kernel and its slow twin give the same bytes for any sizes."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from oracles import hashing as oracle
from quire.kernels import hashing

seeds = st.integers(0, 1 << 32)


@given(seeds, st.integers(1, 200_000), st.integers(1, 70_000))
def test_digests_of_blocks(seed, size, block_size):
    block_size = max(block_size, size // 300)
    data = random.Random(seed).randbytes(size)
    digests = hashing.sha256_blocks(data, block_size)
    assert digests == oracle.sha256_blocks(data, block_size)
    whole = data[: size - size % block_size]
    if whole:
        assert (
            hashing.verify_blocks(whole, block_size, digests[: len(whole) // block_size * 32]) == -1
        )


@settings(max_examples=20)
@given(seeds, st.integers(1 << 20, 6 << 20), st.sampled_from([4096, 65536, 65535, 1 << 20]))
def test_digests_of_blocks_on_all_cores(seed, size, block_size):
    data = random.Random(seed).randbytes(size)
    assert hashing.sha256_blocks(data, block_size) == oracle.sha256_blocks(data, block_size)


@given(seeds, st.integers(1, 600), st.data())
def test_trees_and_ranges(seed, count, data):
    leaves = random.Random(seed).randbytes(32 * count)
    tree = hashing.merkle_tree(leaves)
    assert tree == oracle.merkle_tree(leaves)
    start = data.draw(st.integers(0, count - 1))
    size = data.draw(st.integers(1, count - start))
    proof = hashing.range_proof(tree, count, start, size)
    assert proof == oracle.range_proof(leaves, start, size)
    part = leaves[32 * start : 32 * (start + size)]
    assert hashing.verify_leaves(part, start, count, proof, tree[-32:])
    spoiled = bytearray(part + proof)
    at = data.draw(st.integers(0, len(spoiled) - 1))
    spoiled[at] ^= 1 << data.draw(st.integers(0, 7))
    part, proof = bytes(spoiled[: len(part)]), bytes(spoiled[len(part) :])
    assert not hashing.verify_leaves(part, start, count, proof, tree[-32:])
