"""Slot trees, their pads, roots and CIDs."""

import pytest

from quire.base.errors import BadEncoding, InputError
from quire.dataset.slot_tree import (
    layer_sizes,
    padded_leaves,
    sibling_positions,
    slot_leaf_count,
    slot_leaf_count_of_tree,
    slot_root_cid,
    tree_bytes,
    verify_root_cid,
)
from quire.formats.felt import MODULUS
from quire.kernels import poseidon2
from support.vectors import accepted

ZERO = poseidon2.zero_block_digest(65536)


@accepted("slots.json")
def test_slot_roots_and_verify_root_are_those_of_the_reference(row):
    roots = []
    for cid, leaves in zip(row["slotRoots"], row["leaves"], strict=True):
        digests = [bytes.fromhex(leaf) for leaf in leaves]
        padded = padded_leaves(b"".join(digests[: row["steps"]]), ZERO)
        assert padded == b"".join(digests)
        roots.append(poseidon2.root(padded))
        assert str(slot_root_cid(roots[-1])) == cid
    assert str(verify_root_cid(poseidon2.root(b"".join(roots)))) == row["verifyRoot"]


@pytest.mark.parametrize("count", [*range(1, 35), 64])
def test_layers_are_as_long_as_the_kernel_makes_them(count):
    leaves = b"".join(i.to_bytes(32, "little") for i in range(count))
    layers = poseidon2.tree(leaves)
    assert tree_bytes(count) == len(layers)
    for index in range(count):
        places = sibling_positions(count, index)
        path = b"".join(
            bytes(32) if at is None else layers[at * 32 : at * 32 + 32] for at in places
        )
        assert path == poseidon2.path(layers, count, index)


def test_a_slot_has_a_power_of_two_of_leaves():
    assert [slot_leaf_count(n) for n in (1, 2, 3, 4, 5, 8, 9)] == [1, 2, 4, 4, 8, 8, 16]
    for power in range(12):
        assert slot_leaf_count_of_tree(tree_bytes(1 << power)) == 1 << power
    assert layer_sizes(1) == [1, 1]
    assert slot_leaf_count(1 << 27) == 1 << 27


@pytest.mark.parametrize("steps", [0, -1, (1 << 27) + 1])
def test_slots_that_no_circuit_can_prove_are_refused(steps):
    with pytest.raises(InputError):
        slot_leaf_count(steps)


@pytest.mark.parametrize("length", [0, 1, 32, 63, 96 + 32, 32 * 5, 32 * 9, 64 * (1 << 28) - 32])
def test_lengths_of_no_slot_tree_are_refused(length):
    with pytest.raises(InputError):
        slot_leaf_count_of_tree(length)


@pytest.mark.parametrize(("digests", "zero"), [(b"", ZERO), (b"x" * 31, ZERO), (ZERO, b"short")])
def test_digests_of_another_length_are_refused(digests, zero):
    with pytest.raises(InputError):
        padded_leaves(digests, zero)


@pytest.mark.parametrize("index", [-1, 4, 100])
def test_a_leaf_outside_the_tree_has_no_siblings(index):
    with pytest.raises(InputError):
        sibling_positions(4, index)


@pytest.mark.parametrize("root", [b"", bytes(31), MODULUS.to_bytes(32, "little"), b"\xff" * 32])
def test_what_is_no_felt_has_no_cid(root):
    for name in (slot_root_cid, verify_root_cid):
        with pytest.raises(BadEncoding):
            name(root)
