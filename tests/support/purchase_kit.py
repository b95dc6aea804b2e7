"""Purchases on the market in memory, in virtual time, with a store that keeps roots only."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace

from quire.base.errors import Reverted, UnknownDataset
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.abi import id_text, slot_id
from quire.chain.memory.market import MemoryMarket
from quire.chain.memory.world import MemoryWorld
from quire.chain.port import Head
from quire.chain.values import RequestState, SlotState
from quire.formats.cid import Cid, manifest_cid
from quire.formats.manifest import decode_manifest
from quire.market.bid import Bid
from quire.market.purchase import Purchase
from quire.services.purchasing import PurchasePorts, Purchases
from quire.sim.clock import SimClock
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.journal_memory import MemoryJournal
from support.memory_world import CLIENT, HOST, OTHER, PROOF
from support.protected import protect

BID = Bid(
    duration=3_600,
    expiry=600,
    proof_probability=4,
    price_per_byte_per_second=2,
    collateral_per_byte=1,
    nodes=3,
    tolerance=1,
)


@cache
def dataset() -> Dataset:
    """A verifiable dataset of 2 + 1 slots."""
    data = protect(4, 2, 1).manifest
    return Dataset(manifest_cid(data), decode_manifest(data), data, 0.0, (), 0)


class RootStore:
    """What purchasing asks of a store: why `dataset()` is kept. It survives crashes."""

    def __init__(self) -> None:
        self.roots: dict[str, RetentionRoot] = {}

    async def dataset(self, cid: Cid) -> Dataset | None:
        found = dataset()
        if cid != found.manifest_cid:
            return None
        roots = tuple(self.roots.values())
        return Dataset(cid, found.manifest, found.manifest_bytes, 0.0, roots, 0)

    async def retain(self, cid: Cid, root: RetentionRoot) -> None:
        if cid != dataset().manifest_cid:
            raise UnknownDataset("not here")
        self.roots[root.name] = root

    async def release(self, _cid: Cid, _kind: str, name: str) -> bool:
        return self.roots.pop(name, None) is not None


@dataclass
class Shop:
    """A client whose node can crash, and two hosts that fill what they are told to."""

    clock: SimClock
    world: MemoryWorld
    journal: MemoryJournal = field(init=False)
    store: RootStore = field(default_factory=RootStore)
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    head: Head | None = None  # up to which this node has heard
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journal = MemoryJournal(self.clock)
        self.client = MemoryMarket(self.world, CLIENT, self.clock)
        self.hosts = [MemoryMarket(self.world, host, self.clock) for host in (HOST, OTHER)]

    async def start(self) -> Purchases:
        """A node on the journal as it is."""
        self.events, self.waits = EventBus(self.clock), Waits(self.clock)

        async def manifest(_cid: Cid, _seconds: float) -> Dataset:
            return dataset()

        self.purchases = Purchases(
            PurchasePorts(
                market=self.client,
                journal=self.journal,
                store=self.store,  # type: ignore[arg-type]
                fetches=SimpleNamespace(manifest=manifest),  # type: ignore[arg-type]
                protections=SimpleNamespace(),  # type: ignore[arg-type]
                events=self.events,
                waits=self.waits,
                clock=self.clock,
                rng=self.rng,
            )
        )
        await self.purchases.start()
        self.following = asyncio.create_task(self._follow(self.purchases))
        return self.purchases

    async def _follow(self, purchases: Purchases) -> None:
        async for batch in self.client.follow(self.head):
            await purchases.hear(batch)
            self.head = batch.head

    async def stop(self) -> None:
        self.following.cancel()
        await self.purchases.stop()

    async def crash(self) -> None:
        """The process is gone: every task of it ends where it is, and nothing more is written."""
        mine = asyncio.current_task()
        for task in asyncio.all_tasks():
            if task is not mine:
                task.cancel()
        await asyncio.sleep(0)
        for _ in range(20):  # until whatever was cancelled has ended
            await asyncio.sleep(0)
        self.journal = self.journal.reopened()

    async def buy(self, bid: Bid = BID) -> str:
        return id_text(await self.purchases.buy(dataset().manifest_cid, bid))

    async def fill(self, key: str, *slots: int) -> None:
        """Hosts take turns; a slot that cannot be had stays as it is."""
        request_id = bytes.fromhex(key[2:])
        for slot in slots:
            host = self.hosts[slot % 2]
            if await host.can_reserve(request_id, slot):
                with suppress(Reverted):  # between two blocks it may have come to its expiry
                    await host.reserve_slot(request_id, slot)
                    await host.fill_slot(request_id, slot, PROOF)

    async def give_up(self, key: str, *slots: int) -> None:
        """The hosts of filled slots leave."""
        request_id = bytes.fromhex(key[2:])
        for slot in slots:
            each = slot_id(request_id, slot)
            state = await self.hosts[0].request_state(request_id)
            is_open = state in (RequestState.NEW, RequestState.STARTED)
            (filled,) = await self.hosts[0].slot_states([each])
            if is_open and filled is SlotState.FILLED:
                with suppress(Reverted):
                    await self.hosts[slot % 2].free_slot(each)

    async def pass_time(self, seconds: float, *, blocks: int = 1) -> None:
        """So much later; with so many blocks meanwhile, the last at the end."""
        for _ in range(blocks):
            await asyncio.sleep(seconds / blocks)
            self.world.set_time(int(self.client.clock.now()))
            self.world.mine()
            await self.settle()

    async def settle(self) -> None:
        """What happens at once has happened."""
        await asyncio.sleep(0.05)

    def purchase(self, key: str) -> Purchase:
        found = self.purchases.find(bytes.fromhex(key[2:]))
        assert found is not None
        return found

    async def until(self, key: str, *states: str, patience: float = 50_000.0) -> Purchase:
        """Mine until the purchase is in one of the states and, if that is its end, has ended."""
        ends = self.clock.monotonic() + patience
        while (found := self.purchase(key)).at.value not in states:
            assert self.clock.monotonic() < ends, found
            await self.pass_time(30)
        return found

    async def until_ended(self, patience: float = 50_000.0) -> None:
        ends = self.clock.monotonic() + patience
        while any(self.purchases.next_deadline(each) for each in self.purchases.all()):
            assert self.clock.monotonic() < ends, self.purchases.all()
            await self.pass_time(60)
