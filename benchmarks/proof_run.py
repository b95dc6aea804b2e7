"""One step of the work with a storage proof, as a process of its own; one line of JSON.

`python -m benchmarks.proof_run setup|prove|batch DIRECTORY SAMPLES`
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.processes import own_peak_bytes
from quire.kernels import groth16, poseidon2
from quire.kernels.circuit import StorageCircuit
from quire.kernels.groth16 import ProvingKey

CELL_BYTES = 2048
CELLS = 32  # of a block
BLOCKS = 4
SLOTS = 6
SEED = bytes(32)
PROOFS = 3
BATCH = 100
BATCH_MADE = 4  # distinct proofs in the batch


def opening(samples: int) -> dict[str, Any]:
    """Arguments of `StorageCircuit.witness` for a slot of random cells."""
    rng = random.Random(samples)
    data = rng.randbytes(BLOCKS * CELLS * CELL_BYTES)
    hashes = poseidon2.cell_hashes(data, CELL_BYTES)
    row = 32 * CELLS
    trees = [poseidon2.tree(hashes[at : at + row]) for at in range(0, len(hashes), row)]
    slot_tree = poseidon2.tree(b"".join(tree[-32:] for tree in trees))
    root = slot_tree[-32:]
    roots = [rng.randbytes(31) + b"\0" for _ in range(SLOTS - 1)] + [root]
    dataset = poseidon2.tree(b"".join(roots))
    entropy = rng.randbytes(31) + b"\0"
    chosen = []
    for counter in range(1, samples + 1):
        drawn = poseidon2.sponge(entropy + root + counter.to_bytes(32, "little"))
        index = int.from_bytes(drawn, "little") % (BLOCKS * CELLS)
        block, cell = divmod(index, CELLS)
        path = poseidon2.path(trees[block], CELLS, cell) + poseidon2.path(slot_tree, BLOCKS, block)
        chosen.append((data[index * CELL_BYTES : (index + 1) * CELL_BYTES], path))
    return {
        "entropy": entropy,
        "dataset_root": dataset[-32:],
        "slot_index": SLOTS - 1,
        "host": rng.randbytes(20),
        "slot_root": root,
        "cells_per_slot": BLOCKS * CELLS,
        "slot_count": SLOTS,
        "slot_path": poseidon2.path(dataset, SLOTS, SLOTS - 1),
        "samples": chosen,
    }


def timed(found: dict[str, float], name: str, work: Callable[[], Any]) -> Any:
    """Run it and keep the CPU seconds and seconds, the least of all runs of that name."""
    cpu, wall = time.process_time(), time.perf_counter()
    done = work()
    for key, value in (
        (f"{name}_cpu", time.process_time() - cpu),
        (name, time.perf_counter() - wall),
    ):
        found[key] = min(value, found.get(key, value))
    return done


def setup(directory: Path, samples: int) -> dict[str, float]:
    found: dict[str, float] = {}
    circuit = StorageCircuit(samples)
    timed(found, "circuit", lambda: circuit.write_r1cs(directory / "our.r1cs"))
    witness = circuit.witness(**opening(samples))
    (directory / "our.wtns").write_bytes(witness.to_wtns())
    paths = directory / "our.r1cs", directory / "our.zkey"
    timed(found, "setup", lambda: groth16.setup_key(*paths, SEED))
    return found


def prove(directory: Path, samples: int) -> dict[str, float]:
    found: dict[str, float] = {}
    circuit, arguments = StorageCircuit(samples), opening(samples)
    key = timed(found, "load", lambda: ProvingKey.open(directory / "our.zkey"))
    verifying = key.verifying_key
    for _ in range(PROOFS):
        witness = timed(found, "witness", lambda: circuit.witness(**arguments))
        proof, public = timed(found, "prove", lambda given=witness: key.prove(given))
        pair = public, proof
        if not timed(found, "verify", lambda given=pair: groth16.verify(verifying, *given)):
            raise AssertionError("a proof of ours does not hold")
    found["constraints"], found["zkey_bytes"] = key.constraints, key_bytes(directory)
    return found


def batch(directory: Path, samples: int) -> dict[str, float]:
    found: dict[str, float] = {}
    key = ProvingKey.open(directory / "our.zkey")
    witness = StorageCircuit(samples).witness(**opening(samples))
    made = [key.prove(witness) for _ in range(BATCH_MADE)]
    items = [(public, proof) for proof, public in made] * (BATCH // BATCH_MADE)
    verifying = key.verifying_key
    if timed(found, "batch", lambda: groth16.verify_batch(verifying, items, SEED)):
        raise AssertionError("a batch of good proofs does not hold")
    items[BATCH // 3] = (items[0][0], items[0][1][:64] + items[1][1][64:])
    if timed(found, "search", lambda: groth16.verify_batch(verifying, items, SEED)) != [BATCH // 3]:
        raise AssertionError("the bad proof of a batch is not found")
    return found


def key_bytes(directory: Path) -> int:
    return (directory / "our.zkey").stat().st_size


def main() -> None:
    step, directory, samples = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    found = {"setup": setup, "prove": prove, "batch": batch}[step](directory, samples)
    found["peak_mb"] = own_peak_bytes() / 2**20
    print(json.dumps(found))


if __name__ == "__main__":
    main()
