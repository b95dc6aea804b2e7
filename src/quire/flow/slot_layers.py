"""The tree over a slot, made anew from the blocks of this node."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor

from quire.base.units import MIB
from quire.dataset.geometry import Geometry
from quire.dataset.slot_tree import padded_leaves
from quire.kernels import poseidon2
from quire.store.port import BlockStore

READ_BYTES = 4 * MIB  # at a time


async def slot_layers(
    store: BlockStore,
    tree_root: bytes,
    geometry: Geometry,
    cell_size: int,
    slot: int,
    executor: Executor | None,
) -> bytes:
    """All layers of the tree over a slot, as SlotFiles keeps them.

    Raises   BlockMissing  a block of the slot is not here
    Cost     reads and hashes the whole slot; memory of one read and 64 bytes a block
    """
    loop = asyncio.get_running_loop()
    row = geometry.row_range(slot)
    stored = row.start + geometry.stored_blocks(slot)
    count = max(1, READ_BYTES // geometry.block_size)
    digests = bytearray()
    for start in range(row.start, stored, count):
        data = await store.read_range(tree_root, start, min(count, stored - start))
        digests += await loop.run_in_executor(
            executor, poseidon2.block_digests, data, geometry.block_size, cell_size
        )
    return await loop.run_in_executor(executor, _tree, bytes(digests), geometry, cell_size)


def _tree(digests: bytes, geometry: Geometry, cell_size: int) -> bytes:
    """Pads of the dataset and pads of the slot alike are blocks of zeros."""
    zero = poseidon2.zero_block_digest(geometry.block_size, cell_size)
    pads = geometry.steps - len(digests) // len(zero)
    return poseidon2.tree(padded_leaves(digests + zero * pads, zero))
