"""The compiled Poseidon2 against known answers and its slow twin."""

import random

import pytest

from oracles import poseidon2 as oracle
from quire.base.errors import BadEncoding, InputError
from quire.kernels import poseidon2
from support.vectors import load, rejected

rng = random.Random(2)  # the same data in every run

GENERATORS = {
    "zeros": bytes,
    "det": lambda length: bytes((31 * i + 17 * (i >> 8)) & 255 for i in range(length)),
    "pattern": lambda length: bytes((7 * i + 13 * (i >> 8)) & 255 for i in range(length)),
}


def felt(number: int) -> bytes:
    return number.to_bytes(32, "little")


def up_to(count: int) -> bytes:
    return b"".join(felt(number) for number in range(1, count + 1))


def random_felts(count: int) -> bytes:
    return b"".join(felt(rng.randrange(oracle.MODULUS)) for _ in range(count))


def known(kind: str):
    """Decorator: the test runs once for each known answer of this kind."""
    rows = [row for row in load("poseidon2.json")["accept"] if row["kind"] == kind]
    return pytest.mark.parametrize("row", rows, ids=[row["name"] for row in rows])


def test_the_twin_draws_the_constants_of_the_reference():
    drawn = [f"{number:064x}" for number in oracle.EXTERNAL + oracle.INTERNAL]
    assert drawn == load("poseidon2.json")["round_constants"]


@known("permute")
def test_known_states_are_permuted(row):
    state = bytes.fromhex("".join(row["state"]))
    assert poseidon2.permute(state).hex() == "".join(row["result"])
    assert oracle.permute(state).hex() == "".join(row["result"])


@known("compress")
def test_known_pairs_are_compressed(row):
    a, b = bytes.fromhex(row["a"]), bytes.fromhex(row["b"])
    assert poseidon2.compress(a, b, row["key"]).hex() == row["result"]
    assert oracle.compress(a, b, row["key"]).hex() == row["result"]


@known("sponge")
def test_known_felts_are_hashed(row):
    felts = up_to(row["count"])
    for hashes in (poseidon2.sponge, oracle.sponge):
        assert hashes(felts, 1).hex() == row["rate1"]
        assert hashes(felts, 2).hex() == row["rate2"]


@known("data")
def test_known_data_is_hashed(row):
    data = GENERATORS["det"](row["length"])
    for kernel in (poseidon2, oracle):
        assert kernel.sponge(kernel.felts(data), 1).hex() == row["rate1"]
        assert kernel.sponge(kernel.felts(data), 2).hex() == row["rate2"]
    if data:
        assert poseidon2.cell_hashes(data, len(data)).hex() == row["rate2"]


@known("tree")
def test_known_trees_and_paths_are_built(row):
    leaves, count = up_to(row["count"]), row["count"]
    layers = poseidon2.tree(leaves)
    assert layers == oracle.tree(leaves)
    assert layers[-32:].hex() == poseidon2.root(leaves).hex() == row["root"]
    for known in row["paths"]:
        index = known["index"]
        assert poseidon2.path(layers, count, index).hex() == known["path"]
        path = bytes.fromhex(known["path"])
        assert poseidon2.root_of_path(felt(index + 1), index, count, path).hex() == row["root"]


@known("block")
def test_known_blocks_have_their_digests(row):
    data = GENERATORS[row["generator"]](row["length"])
    cells = poseidon2.cell_hashes(data, row["cell_size"])
    assert cells[:32].hex() == row["first_cell"]
    assert cells[-32:].hex() == row.get("last_cell", cells[-32:].hex())
    assert poseidon2.block_digests(data, len(data), row["cell_size"]).hex() == row["digest"]


@known("zero slot")
def test_known_slots_of_zeros_have_their_roots(row):
    digest = poseidon2.zero_block_digest(65536)
    assert poseidon2.root(digest * row["count"]).hex() == row["root"]


@rejected("poseidon2.json")
def test_what_is_wrong_is_refused_in_words(row):
    calls = {
        "permute": lambda: poseidon2.permute(bytes.fromhex(row["state"])),
        "compress": lambda: poseidon2.compress(
            bytes.fromhex(row["a"]), bytes.fromhex(row["b"]), row["key"]
        ),
        "sponge": lambda: poseidon2.sponge(bytes.fromhex(row["felts"]), row["rate"]),
        "tree": lambda: poseidon2.tree(bytes.fromhex(row["leaves"])),
        "path": lambda: poseidon2.path(bytes.fromhex(row["tree"]), row["count"], row["index"]),
        "root_of_path": lambda: poseidon2.root_of_path(
            bytes.fromhex(row["leaf"]), row["index"], row["count"], bytes.fromhex(row["path"])
        ),
        "blocks": lambda: poseidon2.block_digests(
            bytes(row["length"]), row["block_size"], row["cell_size"]
        ),
        "cells": lambda: poseidon2.cell_hashes(bytes(row["length"]), row["cell_size"]),
    }
    expected = InputError if row["function"] in ("blocks", "cells", "path") else BadEncoding
    with pytest.raises(expected) as refused:
        calls[row["function"]]()
    assert len(refused.value.message.split()) > 3
    if row["function"] == "tree":
        with pytest.raises(expected):
            poseidon2.root(bytes.fromhex(row["leaves"]))


def test_random_states_are_permuted_as_by_the_twin():
    for _ in range(200):
        state = random_felts(3)
        assert poseidon2.permute(state) == oracle.permute(state)
    edge = felt(oracle.MODULUS - 1)
    assert poseidon2.permute(edge * 3) == oracle.permute(edge * 3)


@pytest.mark.parametrize("length", [*range(70), 92, 93, 94, 1000, 2048])
def test_data_becomes_the_felts_of_the_twin(length):
    data = rng.randbytes(length)
    assert poseidon2.felts(data) == oracle.felts(data)


@pytest.mark.parametrize("rate", [1, 2])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 31, 67])
def test_sponges_are_those_of_the_twin(count, rate):
    felts = random_felts(count)
    assert poseidon2.sponge(felts, rate) == oracle.sponge(felts, rate)


@pytest.mark.parametrize("cell_size", [1, 30, 31, 32, 61, 62, 63, 93, 100, 128])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 15, 16, 17, 33])
def test_cells_have_the_hashes_of_the_twin(cell_size, count):
    data = rng.randbytes(cell_size * count)
    assert poseidon2.cell_hashes(data, cell_size) == oracle.cell_hashes(data, cell_size)


@pytest.mark.parametrize("cells", [1, 2, 3, 5, 8, 11])
@pytest.mark.parametrize("count", [1, 2, 3, 16, 19])
def test_blocks_have_the_digests_of_the_twin(cells, count):
    data = bytearray(rng.randbytes(64 * cells * count))
    if count > 2:
        data[64 * cells : 128 * cells] = bytes(64 * cells)  # zeros go another way
    found = poseidon2.block_digests(data, 64 * cells, 64)
    assert found == oracle.block_digests(bytes(data), 64 * cells, 64)


@pytest.mark.parametrize("count", [*range(1, 35), 63, 64, 65, 200])
def test_trees_are_those_of_the_twin(count):
    leaves = random_felts(count)
    assert poseidon2.tree(leaves) == oracle.tree(leaves)
    assert poseidon2.root(leaves) == oracle.root(leaves)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 11])
def test_every_leaf_is_proved_and_every_change_is_noticed(count):
    leaves = random_felts(count)
    layers = poseidon2.tree(leaves)
    root = layers[-32:]
    for index in range(count):
        leaf, path = leaves[32 * index : 32 * index + 32], poseidon2.path(layers, count, index)
        assert path == oracle.path(leaves, index)
        assert poseidon2.root_of_path(leaf, index, count, path) == root
        other = felt(int.from_bytes(leaf, "little") ^ 1)
        assert poseidon2.root_of_path(other, index, count, path) != root
        for at in range(0, len(path), 32):
            changed = bytearray(path)
            changed[at] ^= 1
            assert poseidon2.root_of_path(leaf, index, count, changed) != root


def test_a_leaf_at_another_place_or_in_another_tree_is_not_proved():
    leaves = random_felts(11)
    layers = poseidon2.tree(leaves)
    path = poseidon2.path(layers, 11, 6)
    for index in (2, 5, 7, 8):
        assert poseidon2.root_of_path(leaves[192:224], index, 11, path) != layers[-32:]
    with pytest.raises(BadEncoding, match="not a path in a tree of 8"):
        poseidon2.root_of_path(leaves[192:224], 6, 8, path)
    last = poseidon2.path(layers, 11, 10)
    assert poseidon2.root_of_path(leaves[-32:], 10, 12, last) != layers[-32:]


def test_every_kind_of_buffer_is_read():
    data = rng.randbytes(4096)
    expected = poseidon2.block_digests(data, 2048, 512)
    for kind in (bytes, bytearray, memoryview):
        assert poseidon2.block_digests(kind(data), 2048, 512) == expected
    assert poseidon2.block_digests(memoryview(b"x" + data)[1:], 2048, 512) == expected
    with pytest.raises(InputError, match="contiguous"):
        poseidon2.block_digests(memoryview(data)[::2], 2048, 512)


def test_no_data_has_no_digests():
    assert poseidon2.block_digests(b"", 65536) == b""
    assert poseidon2.cell_hashes(b"") == b""


@pytest.mark.parametrize("block_size", [0, -1, 2047, 1024])
def test_a_block_size_that_has_no_zero_block_is_refused(block_size):
    with pytest.raises(InputError):
        poseidon2.zero_block_digest(block_size)


def test_the_digest_of_a_block_of_zeros_is_known():
    assert poseidon2.zero_block_digest(65536) == poseidon2.ZERO_BLOCK_DIGEST
    assert poseidon2.zero_block_digest(128, 64) == oracle.block_digests(bytes(128), 128, 64)
