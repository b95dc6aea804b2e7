"""Nodes that serve what they have cached at a price, on a network and a hub in memory."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.memory.hub import MemoryHub
from quire.chain.memory.world import MemoryWorld
from quire.kernels.signing import address_of, sign_recoverable
from quire.net.answering import Answering
from quire.net.exchange.limits import ExchangeLimits
from quire.net.memory import MemoryNetwork, MemoryTransport
from quire.net.memory_channel import Link
from quire.net.requests import Requests
from quire.services.caching.caching import Caching, Trade
from quire.services.caching.terms import Account, CacheTerms
from quire.services.paying.pay_protocol import serve_payments
from quire.services.paying.payee import Payee
from quire.services.paying.payer import Payer, PayerPorts
from quire.services.paying.voucher_line import VoucherLine
from quire.sim.clock import SimClock
from quire.store.dataset import Dataset
from quire.store.journal_memory import MemoryJournal
from support.exchange_nodes import Node, World, soon
from support.memory_store import random_bytes
from support.memory_world import RIGHT_NOW, TERMS
from support.networks import make_transport

PAY = "/quire/pay/1.0.0"
TOKENS = 10_000_000
PRICE = 1000  # of a MiB
Links = Callable[[str, str], Link]
LIMITS = ExchangeLimits(rest_seconds=5.0, again_seconds=0.2, search_pause_seconds=1.0)


@dataclass
class CacheNode:
    """A node and its account; `money` is None where it has none."""

    name: str
    node: Node
    caching: Caching
    journal: MemoryJournal
    money: Money | None

    @property
    def peer(self) -> str:
        return self.node.peer

    def trade(self, other: CacheNode | str) -> Trade:
        peer = other if isinstance(other, str) else other.peer
        return self.caching.peers().get(peer, Trade())

    def told(self, kind: str) -> list[str]:
        return [event.message for event in self.node.events.history() if event.kind == kind]


class AllCached:
    """A shelf on which everything lies."""

    async def start(self) -> None:
        """Nothing is looked through."""

    def stop(self) -> None:
        """Nothing is listened to."""

    async def look(self) -> int:
        return 0

    def is_cached(self, root: bytes) -> bool:
        return True

    def doubt(self, root: bytes) -> None:
        """It is cached all the same."""

    def asked(self, who: str, root: bytes, start: int, count: int) -> None:
        """Nobody counts."""


@dataclass
class Money:
    """Both sides of one account."""

    hub: MemoryHub
    payer: Payer
    payee: Payee
    requests: Requests
    answering: Answering

    @property
    def account(self) -> Account:
        return Account(self.payer, self.payee, self.hub.domain)


class CacheTown:
    """Everything that nodes share. `wire_faults`: of the vouchers of all."""

    def __init__(self, clock: SimClock, links: Links | None = None) -> None:
        self.clock = clock
        self.world = World(MemoryNetwork(clock, links), clock)
        self.chain = MemoryWorld(TERMS, RIGHT_NOW)
        self.nodes: list[CacheNode] = []

    async def node(
        self,
        name: str,
        *,
        price: int = 0,
        free_bytes: int = 0,
        max_price: int = 0,
        budget: int = 0,
        tokens: int | None = TOKENS,
        journal: MemoryJournal | None = None,
    ) -> CacheNode:
        """`tokens` None: without an account; `journal`: of an earlier run."""
        transport, events = make_transport(self.world.network, name), EventBus(self.clock)
        again, journal = journal is not None, journal or MemoryJournal(self.clock)
        money = None
        if tokens is not None:
            money = self._money(name, transport, journal, events)
            if not again:
                self.chain.mint(money.hub.account, tokens)
            await money.payer.start()
            await money.payee.start()
        terms = CacheTerms(price, free_bytes, max_price, budget)
        caching = Caching(terms, AllCached(), self.clock, events)  # type: ignore[arg-type]
        if money is not None:
            caching.attach(journal, money.account)
        node = await self.world.node(
            name, LIMITS, transport=transport, toll=caching.toll, events=events
        )
        await caching.start()
        it = CacheNode(name, node, caching, journal, money)
        self.nodes.append(it)
        return it

    def _money(
        self, name: str, transport: MemoryTransport, journal: MemoryJournal, events: EventBus
    ) -> Money:
        key = hashlib.sha256(name.encode()).digest()
        hub, requests = MemoryHub(self.chain, address_of(key)), Requests(transport)
        waits = Waits(self.clock)
        line = VoucherLine(requests, PAY, waits)
        ports = PayerPorts(
            hub, journal, line, lambda digest: sign_recoverable(key, digest), transport.peer_id
        )
        payer = Payer(ports, clock=self.clock, events=events, waits=waits)
        payee = Payee(hub, journal, events)
        return Money(hub, payer, payee, requests, serve_payments(transport, PAY, payee, events))

    async def stop(self, it: CacheNode, *, is_kill: bool = False) -> MemoryJournal:
        """End a node; the journal that its next start finds. With `is_kill` the service does not
        get to write anything."""
        journal = it.journal.reopened() if is_kill else it.journal
        await it.node.exchange.stop()
        await it.caching.stop()
        if it.money is not None:
            await it.money.payer.stop()
            await it.money.payee.stop()
            it.money.requests.stop()
            await it.money.answering.stop()
        await it.node.finder.stop()
        await it.node.transport.stop(soon())
        self.world.nodes.remove(it.node)
        self.nodes.remove(it)
        return journal if is_kill else it.journal.reopened()

    def journal_of(self, it: CacheNode) -> MemoryJournal:
        """What the next start finds if the power goes now."""
        return it.journal.reopened()

    async def connect(self, one: CacheNode, *others: CacheNode) -> None:
        await self.world.connect(one.node, *(other.node for other in others))


@asynccontextmanager
async def town(clock: SimClock, links: Links | None = None) -> AsyncIterator[CacheTown]:
    it = CacheTown(clock, links)
    try:
        yield it
    finally:
        for node in list(it.nodes):
            await it.stop(node)
        await it.world.stop()


def publish(it: CacheNode, size_bytes: int, seed: int = 1) -> Dataset:
    """A dataset that a node holds."""
    return it.node.store.add(random_bytes(size_bytes, seed))


async def fetch(it: CacheNode, dataset: Dataset, seconds: float = 60.0) -> None:
    """All of a dataset, from whoever has it."""
    found = await it.node.exchange.fetch_manifest(dataset.manifest_cid, soon(seconds))
    await it.node.exchange.fetch(found).wait(soon(seconds))
    await asyncio.sleep(3.0)  # the rest is paid and billed
