"""Cuts a dataset of ciphertext into chunks: runs of its blocks, the last one shorter.

Source   point.md 6.1
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import InputError
from quire.point.values import BLOCK_BYTES, CHUNK_BLOCKS, CHUNK_BLOCKS_LEAST, CHUNK_BLOCKS_MOST


@dataclass(frozen=True, slots=True)
class Chunk:
    """`sealed_bytes`: of its blocks, without the padding of a short last one."""

    index: int
    first_block: int
    blocks: int
    sealed_bytes: int


def cut(dataset_size: int, chunk_blocks: int = CHUNK_BLOCKS) -> tuple[Chunk, ...]:
    """The chunks of `dataset_size` bytes. Raises InputError for nothing, or another chunk size."""
    if not CHUNK_BLOCKS_LEAST <= chunk_blocks <= CHUNK_BLOCKS_MOST:
        raise InputError(
            f"a chunk has {CHUNK_BLOCKS_LEAST} to {CHUNK_BLOCKS_MOST} blocks, not {chunk_blocks}"
        )
    if dataset_size < 1:
        raise InputError("there is nothing to keep: the dataset is empty")
    step = chunk_blocks * BLOCK_BYTES
    return tuple(
        Chunk(
            start // step,
            start // BLOCK_BYTES,
            -(-min(step, dataset_size - start) // BLOCK_BYTES),
            min(step, dataset_size - start),
        )
        for start in range(0, dataset_size, step)
    )
