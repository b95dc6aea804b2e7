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
from quire.node.parts import Ground
from quire.node.trading import join_trading
from quire.services.purchasing import Purchases
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
    ground = Ground(node.clock, seeded_rng(3), node.events, node.waits)
    node.trading = join_trading(market, MemoryJournal(node.clock), ground, node.parts)
    async with serving(node) as url:
        yield Trader(node, url, world, market, node.trading.purchases)


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
