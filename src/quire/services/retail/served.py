"""Blocks as a provider served them, checked against the sealed tree and unsealed."""

from __future__ import annotations

from collections.abc import Sequence

from quire.base.errors import PeerLied
from quire.dataset.envelope.seal import Sealer
from quire.formats.replica_answers import BlockRun
from quire.kernels.hashing import verify_range
from quire.point.values import BLOCK_BYTES


def check_served(
    runs: Sequence[BlockRun], indexes: Sequence[int], root: bytes, leaf_count: int
) -> None:
    """Raises PeerLied unless the runs are exactly the blocks asked for, and each stands where it
    says under the root. Cost: one SHA-256 pass; may run off the loop."""
    found = [run.index + i for run in runs for i in range(run.count)]
    if found != list(indexes):
        raise PeerLied(f"it served blocks {found[:8]}, not {list(indexes)[:8]}")
    for run in runs:
        if run.index + run.count > leaf_count or not _verifies(run, root, leaf_count):
            raise PeerLied(
                f"blocks {run.index} to {run.index + run.count} are not those of the sealed tree"
            )


def open_served(
    runs: Sequence[BlockRun], indexes: range, root: bytes, leaf_count: int,
    sealer: Sealer, first: int,
) -> bytes:  # fmt: skip
    """Whole blocks of the ciphertext. `first`: the number in the dataset of the first of them.
    Nothing is unsealed before all are checked. Raises PeerLied."""
    check_served(runs, indexes, root, leaf_count)
    at, parts = first, []
    for run in runs:
        parts.append(sealer.blocks(at, run.data))
        at += run.count
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _verifies(run: BlockRun, root: bytes, leaf_count: int) -> bool:
    proof = run.proof
    return verify_range(run.data, BLOCK_BYTES, run.index, leaf_count, proof, root) is not None
