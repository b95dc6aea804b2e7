"""Nodes that take slots: real stores, exchange and announcements on a network in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.base.rng import seeded_rng
from quire.base.waits import Waits
from quire.flow.announce import Announcing
from quire.flow.assemble import Assembler
from quire.flow.download import Downloads
from quire.flow.fetch import Fetches
from quire.flow.rebuild import Rebuilds
from quire.flow.rebuild_job import RebuildJob
from quire.flow.slot_state import SlotJob
from quire.flow.slots import SlotHolds
from quire.net.discovery import Announcer, Finder
from quire.net.exchange.engine import Exchange
from quire.net.exchange.limits import ExchangeLimits
from quire.net.memory import MemoryNetwork, MemoryTransport
from quire.store.dataset import Dataset
from quire.store.open import open_store
from quire.store.store import Store
from support.exchange_nodes import PROTOCOL, QUICK, soon, until
from support.networks import make_transport
from support.protect_kit import MemorySlots, det, protections

BLOCK = 4096


@dataclass
class SlotNode:
    """A node on a directory."""

    transport: MemoryTransport
    store: Store
    exchange: Exchange
    finder: Finder
    announcer: Announcer
    announcing: Announcing
    slots: MemorySlots
    holds: SlotHolds
    rebuilds: Rebuilds
    downloads: Downloads
    fetches: Fetches
    events: EventBus

    @classmethod
    async def open(
        cls,
        network: MemoryNetwork,
        directory: Path,
        name: str,
        *,
        limits: ExchangeLimits = QUICK,
        idle_seconds: float = 5.0,
    ) -> SlotNode:
        clock, rng = SystemClock(), seeded_rng(1)
        events, transport = EventBus(clock), make_transport(network, name)
        waits = Waits(clock)
        store = await open_store(
            directory / name, quota_bytes=1 << 30, clock=clock, events=events, default_ttl=None
        )
        finder = Finder(transport, clock, rng, events, waits=waits)
        announcer = Announcer(transport, clock, rng, events)
        exchange = Exchange(
            transport,
            store,
            finder,
            clock=clock,
            rng=rng,
            events=events,
            waits=waits,
            protocol_id=PROTOCOL,
            limits=limits,
        )
        slots = MemorySlots()
        assembler = Assembler(store, exchange, clock, events, waits)
        fetches = Fetches(store, exchange, assembler, events, clock, idle_seconds=idle_seconds)
        holds = SlotHolds(store, exchange, fetches, slots, events, clock, idle_seconds=idle_seconds)
        node = cls(
            transport,
            store,
            exchange,
            finder,
            announcer,
            Announcing(store, announcer),
            slots,
            holds,
            Rebuilds(store, exchange, fetches, holds, events, clock, idle_seconds=idle_seconds),
            Downloads(store, assembler, clock),
            fetches,
            events,
        )
        await transport.start()
        await announcer.start()
        await exchange.start()
        await node.announcing.start()
        return node

    async def connect(self, *others: SlotNode) -> None:
        for other in others:
            transport = other.transport
            await self.transport.dial(transport.peer_id, transport.listen_addresses(), soon())

    async def take(self, dataset: Dataset, slot: int, *, seconds: float = 5.0) -> SlotJob:
        """Take a slot and wait for the end of that."""
        job = await self.holds.start(dataset.manifest_cid, slot, seconds)
        await until(lambda: job.has_ended, 30)
        return job

    async def rebuild(self, dataset: Dataset, *slots: int, seconds: float = 5.0) -> RebuildJob:
        """Rebuild slots and wait for the end of that."""
        job = await self.rebuilds.start(dataset.manifest_cid, slots, seconds)
        await until(lambda: job.has_ended, 30)
        return job

    async def close(self) -> None:
        await self.rebuilds.stop()
        await self.holds.stop()
        self.announcing.stop()
        await self.exchange.stop()
        await self.finder.stop()
        await self.announcer.stop()
        await self.transport.stop(soon())
        await self.store.close()


async def protect(
    node: SlotNode, size: int, k: int = 4, m: int = 2, block_size: int = BLOCK
) -> Dataset:
    """A protected dataset on a node."""
    upload = node.store.begin_upload(block_size=block_size)
    await upload.write(det(size))
    source = await upload.commit()
    jobs = protections(node.store, slots=node.slots, clock=SystemClock())
    return await jobs.wait(await jobs.start(source.manifest_cid, k, m))
