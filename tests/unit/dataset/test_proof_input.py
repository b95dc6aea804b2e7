"""What a proof is computed from, compared with the reference to the byte."""

import dataclasses
import hashlib
import json

import pytest

from oracles.fake_cells import fake_slot
from quire.base.errors import InputError, ProofInvalid
from quire.dataset.proof_input import ProofInput, slot_path
from quire.dataset.sampling import CellSample, sample_indices
from quire.dataset.slot_tree import padded_leaves, slot_leaf_count_of_tree
from quire.kernels import erasure, poseidon2
from support.protect_kit import det
from support.vectors import accepted, load

BLOCK, CELL, CELLS = 65536, 2048, 32


def felt(decimal: str | int) -> bytes:
    return int(decimal).to_bytes(32, "little")


def number(felt_bytes: bytes) -> int:
    return int.from_bytes(felt_bytes, "little")


def proof_input(
    entropy: bytes, slot_roots: list[bytes], slot: int, row: bytes, layers: bytes, samples: int = 5
) -> ProofInput:
    """The input for a slot whose blocks and tree are given; pads are cut off `row`."""
    leaf_count = slot_leaf_count_of_tree(len(layers))
    root = layers[-32:]
    found = []
    for index in sample_indices(entropy, root, leaf_count * CELLS, samples):
        block, cell = divmod(index, CELLS)
        data = row[block * BLOCK : (block + 1) * BLOCK] or bytes(BLOCK)
        path = poseidon2.path(layers, leaf_count, block)
        found.append(CellSample.of(data, cell, CELL, path))
    return ProofInput(
        entropy=entropy,
        dataset_root=poseidon2.root(b"".join(slot_roots)),
        slot_index=slot,
        slot_root=root,
        cells_per_slot=leaf_count * CELLS,
        cells_per_block=CELLS,
        slot_count=len(slot_roots),
        slot_path=slot_path(slot_roots, slot),
        samples=tuple(found),
    )


def tree_of(row: bytes) -> bytes:
    digests = poseidon2.block_digests(row, BLOCK)
    return poseidon2.tree(padded_leaves(digests, poseidon2.zero_block_digest(BLOCK)))


@pytest.fixture(scope="module")
def official() -> ProofInput:
    """That of the reference's tests, from scratch."""
    known = load("slots.json")["fixture"]
    slots = [fake_slot(known["seed"], slot, known["ncells"]) for slot in range(known["nslots"])]
    assert slots[3].startswith(bytes.fromhex(known["cellStart"]))
    trees = [tree_of(slot) for slot in slots]
    roots = [tree[-32:] for tree in trees]
    assert [number(root) for root in roots] == [int(root) for root in known["slotRoots"]]
    return proof_input(felt(known["entropy"]), roots, 3, slots[3], trees[3])


def test_the_official_input_file_is_made_again_to_the_byte(official):
    known = load("slots.json")["fixture"]
    assert number(official.dataset_root) == int(known["datasetRoot"])
    assert official.indices() == known["indices"]
    official.check()
    text = official.to_input_json()
    assert hashlib.sha256(text.encode()).hexdigest() == known["sha256"]
    assert json.loads(text) == official.values()


@pytest.mark.parametrize("which", ["first", "last"])
@accepted("slots.json")
def test_the_first_and_the_last_slot_give_the_input_of_the_reference(row, which):
    """The first is data, the last is parity."""
    known = row["inputs"][0 if which == "first" else -1]
    length = row["steps"] * BLOCK
    data = det(row["size"]).ljust(row["k"] * length, b"\0")
    rows = [data[at : at + length] for at in range(0, len(data), length)]
    rows += erasure.encode(rows, row["m"])
    roots = [poseidon2.root(bytes.fromhex("".join(leaves))) for leaves in row["leaves"]]
    slot = known["slot"]
    compare(
        proof_input(felt(known["entropy"]), roots, slot, rows[slot], tree_of(rows[slot])), known
    )


def compare(made: ProofInput, known: dict) -> None:
    """`made` is valid and has the values of the reference."""
    made.check()
    values = made.values()
    assert made.indices() == known["indices"]
    assert values["dataSetRoot"] == known["datasetRoot"]
    assert values["slotRoot"] == known["slotRoot"]
    assert values["entropy"] == known["entropy"]
    assert (values["nCellsPerSlot"], values["nSlotsPerDataSet"]) == (known["cells"], known["slots"])
    assert values["slotProof"] == known["slotPath"] + ["0"] * (8 - len(known["slotPath"]))
    for cells, path, sample in zip(
        values["cellData"], values["merklePaths"], known["samples"], strict=True
    ):
        assert (len(cells), cells[:2], cells[-1]) == (67, sample["first"], sample["last"])
        assert path == sample["path"] + ["0"] * (32 - len(sample["path"]))


def test_paths_that_do_not_fit_a_circuit_are_refused(official):
    with pytest.raises(InputError, match="9 siblings"):
        official.values(slot_depth=8)
    with pytest.raises(InputError, match="4 siblings"):
        official.values(dataset_depth=3)
    assert len(official.values(slot_depth=9, dataset_depth=4)["slotProof"]) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset_root": felt(1)},
        {"slot_index": 4},
        {"slot_index": 11},
        {"slot_root": felt(2)},
        {"slot_count": 8},
        {"slot_path": bytes(32 * 4)},
        {"slot_path": b"\xff" * 32 * 4},
        {"slot_path": b""},
        {"entropy": felt(7)},
        {"cells_per_slot": 1024},
        {"samples": "swapped"},
    ],
)
def test_an_input_that_does_not_hold_together_is_refused(official, changes):
    if changes.get("samples") == "swapped":
        changes = {"samples": official.samples[::-1]}
    with pytest.raises(ProofInvalid):
        dataclasses.replace(official, **changes).check()
