"""Slow twin of `kernels.circuit.StorageCircuit.witness`: whether the statement holds, by values.

It follows proofs.md 4.4 on trees and indices, and knows nothing of wires or constraints.
"""

from oracles import poseidon2
from oracles.poseidon2 import MODULUS

ZERO = bytes(32)


def parent(layer: int, index: int, last: int, node: bytes, sibling: bytes) -> bytes:
    key = 1 if layer == 0 else 0
    if index % 2:
        return poseidon2.compress(sibling, node, key)
    return poseidon2.compress(node, sibling, key + 2 if index == last else key)


def climbs(leaf: bytes, index: int, count: int, path: list[bytes]) -> bytes | None:
    """The root that a path leads to; None when a node without a sibling is given one."""
    node, last = leaf, count - 1
    for layer in range(max(1, last.bit_length())):
        if index == last and index % 2 == 0 and path[layer] != ZERO:
            return None
        node = parent(layer, index, last, node, path[layer])
        index, last = index // 2, last // 2
    return node


def layers_of(count: int) -> int:
    return (count - 1).bit_length()


def cut(felts: bytes) -> list[bytes]:
    return [felts[at : at + 32] for at in range(0, len(felts), 32)]


def fits(circuit: dict, opening: dict) -> bool:
    felts = [opening[name] for name in ("entropy", "dataset_root", "slot_root")]
    felts += cut(opening["slot_path"])
    felts += [felt for cell, path in opening["samples"] for felt in cut(cell) + cut(path)]
    cells, slots = opening["cells_per_slot"], opening["slot_count"]
    return (
        all(len(felt) == 32 and int.from_bytes(felt, "little") < MODULUS for felt in felts)
        and len(opening["host"]) == 20
        and cells > 0
        and cells & (cells - 1) == 0
        and 1 << circuit["block_depth"] <= cells <= 1 << circuit["max_depth"]
        and 1 <= slots <= 1 << circuit["max_log2_slots"]
        and 0 <= opening["slot_index"] < slots
        and len(opening["samples"]) == circuit["samples"]
        and is_path(opening["slot_path"], layers_of(slots), circuit["max_log2_slots"])
        and all(
            len(cell) == 32 * circuit["cell_elements"]
            and is_path(path, layers_of(cells), circuit["max_depth"])
            for cell, path in opening["samples"]
        )
    )


def is_path(path: bytes, used: int, most: int) -> bool:
    return len(path) <= 32 * most and not any(path[32 * used :])


def holds(circuit: dict, opening: dict) -> bool:
    """Whether a proof of these values under a circuit of these parameters may exist.

    Cells are felts joined; paths may be cut after their last layer.
    """
    if not fits(circuit, opening):
        return False
    slots, slot_root = opening["slot_count"], opening["slot_root"]
    path = cut(opening["slot_path"].ljust(32 * circuit["max_log2_slots"], b"\0"))
    if climbs(slot_root, opening["slot_index"], slots, path) != opening["dataset_root"]:
        return False
    return all(
        opened(circuit, opening, counter, cell, path)
        for counter, (cell, path) in enumerate(opening["samples"], 1)
    )


def opened(circuit: dict, opening: dict, counter: int, cell: bytes, path: bytes) -> bool:
    hashed = opening["entropy"] + opening["slot_root"] + counter.to_bytes(32, "little")
    index = int.from_bytes(poseidon2.sponge(hashed), "little") % opening["cells_per_slot"]
    siblings = cut(path.ljust(32 * circuit["max_depth"], b"\0"))
    depth, per_block = circuit["block_depth"], 1 << circuit["block_depth"]
    block = climbs(poseidon2.sponge(cell), index % per_block, per_block, siblings[:depth])
    blocks = opening["cells_per_slot"] // per_block
    assert block is not None
    return climbs(block, index // per_block, blocks, siblings[depth:]) == opening["slot_root"]
