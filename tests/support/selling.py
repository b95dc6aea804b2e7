"""A live node that sells on a world in memory: real store, network and REST; proofs are made up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quire.base.rng import seeded_rng
from quire.chain.memory.market import MemoryMarket
from quire.chain.memory.world import MemoryWorld
from quire.chain.values import Address, Ask, Content, StorageRequest
from quire.dataset.circuit import CircuitParameters
from quire.dataset.geometry import Geometry
from quire.faces.rest.route import QUIRE_BASE
from quire.flow.prove import verification_of
from quire.net.memory import MemoryNetwork
from quire.node.node import Node
from quire.node.trading import Trading
from quire.services.first_proof import FirstProofs
from quire.services.proof_maker import ProvingMeans
from quire.services.purchasing import PurchasePorts, Purchases
from quire.services.selling import SalePorts, Sales
from quire.services.slot_keeping import KeepingPorts, SlotKeeping
from quire.store.dataset import Dataset
from quire.store.journal_memory import MemoryJournal
from support.http import send
from support.live import make_node, serving
from support.memory_world import CLIENT, HOST
from support.period_kit import Feed
from support.protect_kit import det
from support.prove_kit import FakeProver
from support.sale_kit import FakeWatcher


@dataclass
class Seller:
    node: Node
    url: str
    world: MemoryWorld
    market: MemoryMarket
    sales: Sales


@asynccontextmanager
async def selling_node(
    directory: Path,
    world: MemoryWorld,
    account: Address = HOST,
    network: MemoryNetwork | None = None,
    **flags: Any,
) -> AsyncGenerator[Seller, None]:
    node = await make_node(directory, network, **flags)
    market, journal = MemoryMarket(world, account, node.clock), MemoryJournal(node.clock)
    prover = FakeProver(CircuitParameters(samples=5, block_depth=5))
    prover.gate.set()

    async def ready() -> FakeProver:
        return prover

    means = ProvingMeans(node.proving.proofs, ready, node.store.dataset)
    feed, parts = Feed(market), node.parts
    keeping = KeepingPorts(node.store, node.fetches, parts.slot_holds, parts.rebuilds)
    sales = Sales(
        SalePorts(
            market,
            journal,
            feed,
            SlotKeeping(keeping, node.clock, market, node.events, patience_seconds=0.5),
            FirstProofs(market, means, node.clock),
            FakeWatcher(),
            node.store,
        ),
        clock=node.clock,
        rng=seeded_rng(5),
        events=node.events,
        waits=node.waits,
    )
    node.trading = Trading(market, journal, _purchases(node, market, journal), sales)
    async with serving(node) as url:
        await sales.start()
        feed.start()
        try:
            yield Seller(node, url, world, market, sales)
        finally:
            feed.stop()
            await sales.stop()


def _purchases(node: Node, market: MemoryMarket, journal: MemoryJournal) -> Purchases:
    return Purchases(
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


@asynccontextmanager
async def mining(world: MemoryWorld, seconds: float = 0.2) -> AsyncGenerator[None, None]:
    """A block every so many real seconds, each `world.block_seconds` of the chain later."""

    async def mine() -> None:
        while True:
            await asyncio.sleep(seconds)
            world.mine()

    task = asyncio.create_task(mine())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def verifiable(node: Node, url: str, size: int = 655_360, k: int = 4, m: int = 2) -> Dataset:
    """A protected dataset of a node."""
    cid = (await send(url, "POST", f"{QUIRE_BASE}/data", {}, det(size))).text
    await send(url, "POST", f"{QUIRE_BASE}/datasets/{cid}/protect?k={k}&m={m}", {}, b"")
    (job,) = await node.protections.of((await node.store.datasets())[0].manifest_cid)
    return await node.protections.wait(job)


def request_for(dataset: Dataset, expiry: int = 300, duration: int = 1200) -> StorageRequest:
    """What a client asks for it."""
    geometry = Geometry.of(dataset.manifest)
    root = verification_of(dataset.manifest).verify_root.digest
    ask = Ask(1, 1, 1, geometry.slots, geometry.slot_size, duration, geometry.m)
    return StorageRequest(
        CLIENT, ask, Content(dataset.manifest_cid.encode(), root), expiry, bytes(32)
    )
