"""Honest openings of small slots, for the storage circuit."""

import random
from typing import Any

from quire.kernels import poseidon2

PARAMETERS = {
    "samples": 2,
    "max_depth": 6,
    "max_log2_slots": 3,
    "block_depth": 2,
    "cell_elements": 4,
}
CELL_BYTES = 100
MODULUS = 21888242871839275222246405745257275088548364400416034343698204186575808495617


def felt(rng: random.Random) -> bytes:
    return rng.randrange(MODULUS).to_bytes(32, "little")


def opening(seed: int, slot_count: int = 5, slot_index: int = 4, blocks: int = 4) -> dict[str, Any]:
    """The arguments of `StorageCircuit.witness`; cells are felts."""
    rng = random.Random(seed)
    per_block = 1 << PARAMETERS["block_depth"]
    data = rng.randbytes(blocks * per_block * CELL_BYTES)
    hashes = poseidon2.cell_hashes(data, CELL_BYTES)
    block_hashes = [
        hashes[at : at + 32 * per_block] for at in range(0, len(hashes), 32 * per_block)
    ]
    trees = [poseidon2.tree(leaves) for leaves in block_hashes]
    slot_tree = poseidon2.tree(b"".join(tree[-32:] for tree in trees))
    slot_root = slot_tree[-32:]
    roots = [felt(rng) for _ in range(slot_count)]
    roots[slot_index] = slot_root
    dataset_tree = poseidon2.tree(b"".join(roots))
    found: dict[str, Any] = {
        "entropy": felt(rng),
        "dataset_root": dataset_tree[-32:],
        "slot_index": slot_index,
        "host": rng.randbytes(20),
        "slot_root": slot_root,
        "cells_per_slot": blocks * per_block,
        "slot_count": slot_count,
        "slot_path": poseidon2.path(dataset_tree, slot_count, slot_index),
        "samples": [],
    }
    for counter in range(1, PARAMETERS["samples"] + 1):
        seeded = found["entropy"] + slot_root + counter.to_bytes(32, "little")
        index = int.from_bytes(poseidon2.sponge(seeded), "little") % (blocks * per_block)
        block, cell = divmod(index, per_block)
        path = poseidon2.path(trees[block], per_block, cell)
        path += poseidon2.path(slot_tree, blocks, block)
        content = data[index * CELL_BYTES : (index + 1) * CELL_BYTES]
        found["samples"].append((poseidon2.felts(content), path))
    return found
