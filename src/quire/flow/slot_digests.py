"""The digests of a slot's blocks, from the blocks of this node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from quire.base.units import MIB
from quire.dataset.geometry import CELL_BYTES, Geometry
from quire.kernels import poseidon2
from quire.store.port import BlockStore

READ_BYTES = 4 * MIB  # at a time


async def slot_digests(
    store: BlockStore,
    tree_root: bytes,
    geometry: Geometry,
    slot: int,
    executor: Executor | None,
    note: Callable[[int], None] = lambda _: None,
    *,
    cell_size: int = CELL_BYTES,
) -> bytes:
    """The Poseidon2 digest of each block of a slot, 32 bytes each, the dataset's pads included.

    note     told how many blocks have been hashed
    Raises   BlockMissing  a block of the slot is not here
    Cost     reads and hashes the whole slot; memory of one read and 32 bytes a block
    """
    loop = asyncio.get_running_loop()
    row = geometry.row_range(slot)
    count = max(1, READ_BYTES // geometry.block_size)
    digests = bytearray()
    for start in range(row.start, row.stop, count):
        part = min(count, row.stop - start)
        data = await store.read_range(tree_root, start, part)
        digests += await loop.run_in_executor(
            executor, poseidon2.block_digests, data, geometry.block_size, cell_size
        )
        note(start + part - row.start)
    return bytes(digests)
