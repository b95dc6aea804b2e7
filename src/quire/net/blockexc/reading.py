"""Blocks out of the store as deliveries, each leaf with a proof of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from quire.base.errors import BlockMissing
from quire.formats.blockexc import BlockAddress, Delivery
from quire.formats.cid import Cid, block_cid, tree_cid
from quire.formats.merkle import DIGEST_BYTES
from quire.formats.merkle_run import leaf_proofs
from quire.kernels.hashing import verify_range
from quire.store.dataset import TreeState
from quire.store.port import BlockStore

if TYPE_CHECKING:
    from concurrent.futures import Executor


async def read_single(store: BlockStore, cid: Cid) -> Delivery:
    """A manifest or a block by its own CID. Raises `BlockMissing`."""
    return Delivery(cid, await store.read_block(cid), BlockAddress(cid))


async def read_run(
    store: BlockStore, tree: TreeState, start: int, count: int, executor: Executor | None
) -> list[Delivery]:
    """Neighbouring leaves, verified against the root. Raises `BlockMissing`."""
    data = await store.read_range(tree.root, start, count)
    proof = await store.prove_range(tree.root, start, count)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(executor, _deliveries, tree, start, data, proof)


def _deliveries(tree: TreeState, start: int, data: bytes, proof: bytes) -> list[Delivery]:
    """In a worker thread."""
    size = tree.block_size
    digests = verify_range(data, size, start, tree.leaf_count, proof, tree.root)
    if digests is None:  # padding: its leaf is not the digest of the bytes that stand for it
        raise BlockMissing(f"blocks from {start} on of {tree.root.hex()} cannot be proved")
    cid, view = tree_cid(tree.root), memoryview(data)
    proofs = leaf_proofs(digests, start, tree.leaf_count, proof)
    return [
        Delivery(
            block_cid(digests[i * DIGEST_BYTES : (i + 1) * DIGEST_BYTES]),
            view[i * size : (i + 1) * size],
            BlockAddress(cid, start + i),
            leaf,
        )
        for i, leaf in enumerate(proofs)
    ]
