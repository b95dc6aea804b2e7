"""A live node whose chain is a world in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quire.base.rng import seeded_rng
from quire.chain.memory.market import MemoryMarket
from quire.chain.memory.world import MemoryWorld
from quire.market.purchase import At
from quire.node.node import Node
from quire.node.trading import Trading
from quire.services.purchasing import PurchasePorts, Purchases
from quire.store.journal_memory import MemoryJournal
from support.live import make_node, serving
from support.memory_world import CLIENT, HOST, PROOF, a_world


@dataclass
class Trader:
    node: Node
    url: str
    world: MemoryWorld
    market: MemoryMarket
    purchases: Purchases


@asynccontextmanager
async def trading_node(
    directory: Path, world: MemoryWorld | None = None, **flags: Any
) -> AsyncGenerator[Trader, None]:
    """Its account is CLIENT."""
    world = world or a_world()
    node = await make_node(directory, **flags)
    market = MemoryMarket(world, CLIENT, node.clock)
    journal = MemoryJournal(node.clock)
    purchases = Purchases(
        PurchasePorts(
            market=market,
            journal=journal,
            store=node.store,
            fetches=node.fetches,
            protections=node.protections,
            events=node.events,
            waits=node.waits,
            clock=node.clock,
            rng=seeded_rng(3),
        )
    )

    async def follow() -> None:
        async for batch in market.follow(None):
            await purchases.hear(batch)

    node.trading = Trading(market=market, journal=journal, purchases=purchases)
    async with serving(node) as url:
        await purchases.start()
        following = asyncio.create_task(follow())
        try:
            yield Trader(node, url, world, market, purchases)
        finally:
            following.cancel()
            await purchases.stop()


async def fill_all(trader: Trader, request_id: str) -> None:
    """One host takes every slot of a request that is on the chain, or will be."""
    host = MemoryMarket(trader.world, HOST, trader.node.clock)
    wanted = bytes.fromhex(request_id[2:])
    while wanted not in trader.world.state.requests:
        await asyncio.sleep(0.002)
    for slot in range((await host.request(wanted)).ask.slots):
        await host.reserve_slot(wanted, slot)
        await host.fill_slot(wanted, slot, PROOF)
    found = trader.purchases.find(wanted)
    while found is None or found.at is not At.STARTED:
        await asyncio.sleep(0.002)
        found = trader.purchases.find(wanted)
