"""Blocks as a provider served them, checked against the sealed tree and unsealed."""

from __future__ import annotations

from collections.abc import Sequence

from quire.base.errors import BadEncoding, PeerLied, ProofInvalid
from quire.dataset.envelope.seal import Sealer
from quire.formats.merkle import InclusionProof, decode_proof
from quire.formats.merkle_run import range_proof_of
from quire.formats.replica import ServedBlock
from quire.kernels.hashing import verify_range
from quire.point.values import BLOCK_BYTES


def check_served(
    served: Sequence[ServedBlock], indexes: Sequence[int], root: bytes, leaf_count: int
) -> bytes:
    """The sealed blocks, joined, of which every one stands where it was asked for.

    indexes  in ascending order; neighbours are checked together
    Raises   PeerLied  a block is missing, foreign or changed
    """
    if [each.index for each in served] != list(indexes):
        raise PeerLied(f"it served blocks {[s.index for s in served]}, not {list(indexes)}")
    data = [_check_run(run, root, leaf_count) for run in _runs(served)]
    return data[0] if len(data) == 1 else b"".join(data)


def open_served(
    served: Sequence[ServedBlock], indexes: Sequence[int], root: bytes, leaf_count: int,
    sealer: Sealer, first: int,
) -> bytes:  # fmt: skip
    """Whole blocks of the ciphertext. `first`: number in the dataset of the first one served, of
    which the others are neighbours. Raises PeerLied."""
    return sealer.blocks(first, check_served(served, indexes, root, leaf_count))


def _runs(served: Sequence[ServedBlock]) -> list[list[ServedBlock]]:
    runs: list[list[ServedBlock]] = []
    for each in served:
        if runs and each.index == runs[-1][-1].index + 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    return runs


def _check_run(run: Sequence[ServedBlock], root: bytes, leaf_count: int) -> bytes:
    start = run[0].index
    data = b"".join(each.data for each in run)
    if any(len(each.data) != BLOCK_BYTES for each in run) or start + len(run) > leaf_count:
        raise PeerLied(f"blocks {start} to {start + len(run)} are not whole, or not in the tree")
    first, last = _proof(run[0], leaf_count), _proof(run[-1], leaf_count)
    proof = range_proof_of(first, last)
    if verify_range(data, BLOCK_BYTES, start, leaf_count, proof, root) is None:
        raise PeerLied(f"blocks {start} to {start + len(run)} are not those of the sealed tree")
    return data


def _proof(block: ServedBlock, leaf_count: int) -> InclusionProof:
    try:
        proof = decode_proof(block.proof)
    except (BadEncoding, ProofInvalid) as error:
        raise PeerLied(f"the proof of block {block.index} is broken: {error.message}") from None
    if (proof.index, proof.leaf_count) != (block.index, leaf_count):
        raise PeerLied(f"the proof of block {block.index} is about another")
    return proof
