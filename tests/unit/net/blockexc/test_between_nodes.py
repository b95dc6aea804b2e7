"""Two nodes that have only the block exchange in common."""

from __future__ import annotations

import pytest

from quire.net.blockexc.limits import BlockexcLimits
from support.exchange_nodes import QUICK, World, fetch_all, world
from support.memory_store import random_bytes

SOON = BlockexcLimits(
    answer_seconds=0.2, poll_seconds=0.05, watch_seconds=0.02, round_seconds=0.001
)


async def strangers(it: World):
    """Nodes that do not know each other's own protocol."""
    one = await it.node("one", QUICK, protocol="/one/1", blockexc=SOON)
    other = await it.node("other", QUICK, protocol="/other/1", blockexc=SOON)
    await it.connect(one, other)
    return one, other


@pytest.mark.parametrize("block_size", [4096, 65536, 524288])
@pytest.mark.parametrize("blocks", [1, 2, 17, 61])
async def test_a_dataset_moves_both_ways(block_size, blocks):
    async with world() as it:
        one, other = await strangers(it)
        for giver, taker, seed in ((one, other, 1), (other, one, 2)):
            data = random_bytes(block_size * blocks - 7, seed)
            dataset = giver.store.add(data, block_size=block_size)
            await fetch_all(taker, dataset.manifest_cid, data)
            traffic = taker.exchange.ledger.traffic["/codex/blockexc/1.0.0"]
            assert traffic.received_blocks == blocks + 1
