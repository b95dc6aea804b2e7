"""Columns of a dataset become codewords: read, code, hash, while the blocks are hot.

    rows (k of n blocks) -> parity (m of n blocks) -> SHA-256 of the parity, Poseidon2 of all rows

Neighbouring columns go together: rows are contiguous and coding goes by columns, so that a batch of
n columns is k reads of n blocks each, and one call of each kernel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from quire.base.units import MIB
from quire.dataset.geometry import Geometry
from quire.kernels import erasure, poseidon2
from quire.kernels.hashing import sha256_blocks
from quire.store.columns import Columns
from quire.store.disk import Buffer
from quire.store.port import BlockStore

BATCH_BYTES = 8 * MIB  # of all rows of a batch; one column at least


def batches(geometry: Geometry, first: int) -> Iterator[range]:
    """The columns from `first` on, in batches."""
    size = max(1, BATCH_BYTES // (geometry.slots * geometry.block_size))
    for start in range(first, geometry.steps, size):
        yield range(start, min(start + size, geometry.steps))


async def read_rows(
    store: BlockStore, root: bytes, geometry: Geometry, columns: range
) -> list[bytes]:
    """The data rows of these columns of the original, pads as zeros, each block verified.

    Raises BlockMissing."""
    loop = asyncio.get_running_loop()
    reads = [
        loop.create_task(_read_row(store, root, geometry, row, columns), name="read row")
        for row in range(geometry.k)
    ]
    try:
        await asyncio.wait(reads)
    finally:
        for read in reads:
            read.cancel()
        await asyncio.wait(reads)
        failures = [None if read.cancelled() else read.exception() for read in reads]
    for failure in failures:  # of several, one is told
        if failure is not None:
            raise failure
    return [read.result() for read in reads]


async def _read_row(
    store: BlockStore, root: bytes, geometry: Geometry, row: int, columns: range
) -> bytes:
    start = geometry.index(row, columns.start)
    count = min(len(columns), max(0, geometry.original_blocks - start))
    data = await store.read_range(root, start, count) if count else b""
    return data if count == len(columns) else data.ljust(len(columns) * geometry.block_size, b"\0")


def code(rows: Sequence[Buffer], geometry: Geometry, columns: range) -> Columns:
    """Code and hash these columns. Blocking; uses all cores and lets the GIL go."""
    block_size = geometry.block_size
    parity = b"".join(erasure.encode(rows, geometry.m))
    digests = [poseidon2.block_digests(row, block_size) for row in (*rows, parity)]
    return Columns(
        first=columns.start,
        count=len(columns),
        parity=parity,
        digests=sha256_blocks(parity, block_size),
        slots=b"".join(digests),
    )
