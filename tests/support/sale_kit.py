"""Hosts that sell on a market in memory, in virtual time; their data and proofs are made up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from quire.base.errors import NotFound, QuireError
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.abi import id_text, request_id, slot_id
from quire.chain.memory.clock import mine_by_clock
from quire.chain.memory.market import MemoryMarket
from quire.chain.memory.world import MemoryWorld
from quire.chain.values import Address, RequestId, SlotId, StorageRequest
from quire.formats.cid import Cid, manifest_cid_of
from quire.market.availability import Availability
from quire.market.sale import At, Sale
from quire.services.sale_ports import SaleSettings
from quire.services.selling import SalePorts, Sales
from quire.sim.clock import SimClock
from quire.store.dataset import Space
from quire.store.journal_memory import MemoryJournal
from support.machine_kit import in_virtual_time
from support.memory_world import CLIENT, HOST, a_request, a_world
from support.period_kit import Feed

QUOTA = 1 << 40
OFFER = Availability(bytes(32), 10_000_000, 100_000, 1, 10**9)


class FakeQuota:
    """The store's quota, as far as offers need it."""

    def __init__(self, max_bytes: int = QUOTA) -> None:
        self.max_bytes, self.used, self.offered = max_bytes, 0, 0

    def space(self) -> Space:
        return Space(0, self.max_bytes, self.used, self.offered)

    def offer(self, size_bytes: int) -> None:
        self.offered = size_bytes


class FakeKeeping:
    """Slots arrive after `seconds`; `held` is what is on the disk, and survives a crash."""

    def __init__(self, seconds: float = 5.0) -> None:
        self.seconds = seconds
        self.held: dict[SlotId, Sale] = {}
        self.rebuilt: list[SlotId] = []
        self.problems: list[QuireError] = []

    async def get(
        self, sale: Sale, request: StorageRequest, on_bytes: Callable[[int], None]
    ) -> None:
        if self.problems:
            raise self.problems.pop(0)
        if sale.slot_id not in self.held:
            await asyncio.sleep(self.seconds)
            assert sale.deal is not None
            on_bytes(sale.deal.size // 2)
            self.held[sale.slot_id] = sale
            if sale.deal.is_repair:
                self.rebuilt.append(sale.slot_id)

    async def extend(self, sale: Sale) -> None:
        assert sale.slot_id in self.held

    async def drop(self, sale: Sale, others: Sequence[Sale]) -> None:
        self.held.pop(sale.slot_id, None)


class FakeProofSource:
    seconds = 1.0

    def __init__(self, market: MemoryMarket) -> None:
        self._market = market
        self.made = 0

    async def make(
        self, slot_id: SlotId, cid: Cid, slot_index: int, *, is_again: bool
    ) -> tuple[bytes, int]:
        terms, chain = self._market.terms, self._market.clock
        period = terms.period_of(int(chain.now())) + is_again
        await chain.until(terms.period_start(period))
        await asyncio.sleep(self.seconds)
        self.made += 1
        return self.made.to_bytes(256, "big"), terms.period_end(period)


class FakeWatcher:
    def __init__(self) -> None:
        self.watched: dict[SlotId, int] = {}

    def watch(self, slot_id: SlotId, cid: Cid, slot_index: int, request_end: int) -> None:
        self.watched[slot_id] = request_end

    def unwatch(self, slot_id: SlotId) -> None:
        self.watched.pop(slot_id, None)

    def state(self, slot_id: SlotId) -> dict[str, object]:
        if slot_id not in self.watched:
            raise NotFound("not watched")
        return {"state": "waiting", "reason": "no proof is asked in this period"}


@dataclass
class SellingHost:
    """One account that sells. What a crash leaves: market, journal, keeping."""

    clock: SimClock
    market: MemoryMarket
    journal: MemoryJournal
    keeping: FakeKeeping
    quota: FakeQuota = field(default_factory=FakeQuota)
    settings: SaleSettings = field(default_factory=SaleSettings)
    workers: int = 3

    def __post_init__(self) -> None:
        self.events, self.waits = EventBus(self.clock), Waits(self.clock)
        self.proofs = FakeProofSource(self.market)
        self.watcher = FakeWatcher()

    async def start(self) -> Sales:
        self.feed = Feed(self.market)
        self.watcher.watched.clear()
        ports = SalePorts(
            self.market,
            self.journal,
            self.feed,
            self.keeping,
            self.proofs,
            self.watcher,
            self.quota,
        )
        self.sales = Sales(
            ports,
            clock=self.clock,
            rng=random.Random(self.market.account),
            events=self.events,
            waits=self.waits,
            settings=self.settings,
            workers=self.workers,
        )
        await self.sales.start()
        self.feed.start()
        return self.sales

    async def stop(self) -> None:
        self.feed.stop()
        await self.sales.stop()

    async def crash(self) -> Sales:
        """Stop without a word and start again from what is durable."""
        await self.stop()
        self.journal = self.journal.reopened()
        return await self.start()

    async def offer(self, **terms: Any) -> bytes:
        return (await self.sales.offers.create(replace(OFFER, **terms))).terms.id

    def sale(self, request: StorageRequest, index: int = 0) -> Sale | None:
        return self.sales.machines.state(id_text(slot_id(request_id(request), index)))

    async def until(self, at: At, request: StorageRequest, index: int = 0) -> Sale:
        """Wait, at most 3 hours, until a sale is there."""
        for _ in range(3 * 3600 * 4):
            sale = self.sale(request, index)
            if sale is not None and sale.at is at and (sale.has_ended or not _is_end(at)):
                return sale
            await asyncio.sleep(0.25)
        raise AssertionError(f"the sale did not come to {at}: {self.told()}")

    def sales_of(self, request: StorageRequest) -> list[Sale]:
        identity = request_id(request)
        return [sale for sale in self.sales.all() if sale.request_id == identity]

    async def until_any(self, at: At, request: StorageRequest) -> Sale:
        """Wait until any sale of a request is there."""
        for _ in range(3 * 3600 * 4):
            for sale in self.sales_of(request):
                if sale.at is at and (sale.has_ended or not _is_end(at)):
                    return sale
            await asyncio.sleep(0.25)
        raise AssertionError(f"no sale came to {at}: {self.told()}")

    async def settled(self, request: StorageRequest) -> None:
        """Wait until every sale of a request has ended."""
        while (
            not self.sales_of(request)
            or not all(sale.has_ended for sale in self.sales_of(request))
            or self.sales.queue.chances()
        ):
            await asyncio.sleep(1)

    def told(self) -> list[str]:
        return [f"{e.at:.0f} {e.kind}: {e.message}" for e in self.events.history()][-40:]

    def check(self) -> None:
        """Every byte and token of the offers is in one place."""
        for account in self.sales.offers.ledger.accounts():
            account.check()
        assert self.quota.offered == self.sales.offers.ledger.promised


def _is_end(at: At) -> bool:
    return at in (At.FINISHED, At.CANCELLED, At.ERRORED, At.IGNORED)


@dataclass
class Fair:
    """A chain, a client and hosts."""

    clock: SimClock
    world: MemoryWorld
    hosts: list[SellingHost]

    @property
    def client(self) -> MemoryMarket:
        return MemoryMarket(self.world, CLIENT, self.clock)

    async def request(self, **changes: Any) -> tuple[StorageRequest, RequestId]:
        usual = a_request(**{"duration": 400, "expiry": 200} | changes)
        cid = manifest_cid_of(usual.nonce).encode()
        request = replace(usual, content=replace(usual.content, cid=cid))
        await self.client.request_storage(request)
        return request, request_id(request)


def fair(
    clock: SimClock, *accounts: Address, block_seconds: int = 1, **terms: Any
) -> tuple[Fair, asyncio.Task[None]]:
    """A world that mines by the clock, with a host for each account (not started)."""
    world = a_world(block_seconds=block_seconds, automine=False, **terms)
    hosts = [
        SellingHost(clock, MemoryMarket(world, account, clock), MemoryJournal(clock), FakeKeeping())
        for account in accounts or (HOST,)
    ]
    mining = asyncio.get_running_loop().create_task(mine_by_clock(world))
    return Fair(clock, world, hosts), mining


def at_fair(play: Callable[[Fair], Awaitable[None]], *accounts: bytes, **terms: int) -> None:
    """Play a scene; every ledger adds up at its end."""

    async def main(clock: SimClock) -> None:
        scene, mining = fair(clock, *accounts, **terms)
        for host in scene.hosts:
            await host.start()
        try:
            await play(scene)
            for host in scene.hosts:
                host.check()
        finally:
            for host in scene.hosts:
                await host.stop()
            mining.cancel()
            with suppress(asyncio.CancelledError):
                await mining

    in_virtual_time(main)
