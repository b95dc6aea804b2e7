"""Nodes that each hold a row of a protected dataset whose owner has left."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager

from support.networks import make_network
from support.slot_kit import BLOCK, SlotNode, protect

SIZE = 40 * BLOCK - 100  # four rows of ten blocks without pads, two rows of parity


@asynccontextmanager
async def cluster(tmp_path, rows, *, size=SIZE, idle_seconds=5.0, network=None):
    """An owner that has left, a holder for each of the rows, and a new node that knows them."""
    network = network or make_network()
    async with AsyncExitStack() as stack:

        async def open_node(name):
            node = await SlotNode.open(network, tmp_path, name, idle_seconds=idle_seconds)
            stack.push_async_callback(node.close)
            return node

        owner = await open_node("owner")
        dataset = await protect(owner, size)
        holders = [await open_node(f"holder-{row}") for row in rows]
        for row, holder in zip(rows, holders, strict=True):
            await holder.connect(owner)
            assert (await holder.take(dataset, row)).state == "held"
        owned = await owner.store.read_range(dataset.tree_root, 0, dataset.block_count)
        trees = dict(owner.slots.trees)
        await owner.exchange.stop()
        await owner.transport.stop(0.0)
        new = await open_node("new")
        await new.connect(*holders)
        yield dataset, holders, new, owned, trees
