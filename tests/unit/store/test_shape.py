"""The geometry of trees in pages agrees with the kernel."""

import random

import pytest

from quire.kernels.hashing import merkle_tree, range_proof
from quire.store.shape import (
    DIGEST_BYTES,
    PAGE_LEAVES,
    TreeShape,
    fill,
    layer_sizes,
    page_tree,
    root_of_pages,
)

RNG = random.Random(13)
COUNTS = [1, 2, 3, 4, 7, 8, 9, 1000, 1023, 1024, 1025, 2047, 2048, 2049, 5000]


@pytest.mark.parametrize("leaf_count", COUNTS)
def test_pages_lead_to_the_root_of_the_kernel(leaf_count):
    shape = TreeShape(leaf_count)
    leaves = RNG.randbytes(leaf_count * DIGEST_BYTES)
    nodes = []
    for number in range(shape.page_count):
        part = leaves[number * PAGE_LEAVES * DIGEST_BYTES :][: PAGE_LEAVES * DIGEST_BYTES]
        layers = page_tree(part, shape.page_height)
        assert len(layers) == sum(shape.page_layers(number)) * DIGEST_BYTES
        nodes.append(layers[-DIGEST_BYTES:])
    assert root_of_pages(nodes) == merkle_tree(leaves)[-DIGEST_BYTES:]


@pytest.mark.parametrize("leaf_count", COUNTS)
def test_proof_positions_are_those_of_the_kernel(leaf_count):
    tree = merkle_tree(RNG.randbytes(leaf_count * DIGEST_BYTES))
    shape = TreeShape(leaf_count)
    sizes = layer_sizes(leaf_count, shape.depth)
    assert sum(sizes) * DIGEST_BYTES == len(tree)
    for _ in range(20):
        start = RNG.randrange(leaf_count)
        count = RNG.randrange(1, leaf_count - start + 1)
        nodes = []
        for layer, index in shape.proof_positions(start, count):
            at = (sum(sizes[:layer]) + index) * DIGEST_BYTES
            nodes.append(tree[at : at + DIGEST_BYTES])
        assert b"".join(nodes) == range_proof(tree, leaf_count, start, count)


@pytest.mark.parametrize("leaf_count", COUNTS)
def test_every_node_is_located_once(leaf_count):
    shape = TreeShape(leaf_count)
    seen = set()
    for layer, size in enumerate(layer_sizes(leaf_count, shape.depth)):
        for index in range(size):
            page, inner, at = shape.locate(layer, index)
            sizes = shape.upper_layers() if page < 0 else shape.page_layers(page)
            assert 0 <= at < sizes[inner]
            seen.add((page, inner, at))
    assert len(seen) == sum(layer_sizes(leaf_count, shape.depth))


@pytest.mark.parametrize("leaf_count", [1, 2, 3, 5, 8, 13, 100])
def test_filling_computes_what_follows_and_nothing_else(leaf_count):
    height = TreeShape(leaf_count).page_height
    leaves = RNG.randbytes(leaf_count * DIGEST_BYTES)
    tree = merkle_tree(leaves)
    nodes = bytearray(leaves + bytes(len(tree) - len(leaves)))
    fill(nodes, layer_sizes(leaf_count, height), 1)
    assert nodes == tree
    nodes = bytearray(bytes(DIGEST_BYTES) + leaves[DIGEST_BYTES:] + bytes(len(tree) - len(leaves)))
    fill(nodes, layer_sizes(leaf_count, height), 1)
    assert nodes[-DIGEST_BYTES:] == bytes(DIGEST_BYTES)
