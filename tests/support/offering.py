"""Providers on a network in memory that do nothing but make offers, and a node that chooses."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from quire.base.events import EventBus
from quire.base.rng import seeded_rng
from quire.base.waits import Waits
from quire.chain.hub import HubDomain
from quire.formats.peer_id import decode_peer_id
from quire.formats.replica import MAX_MESSAGE_BYTES, ReplicaAnswer, decode_request
from quire.formats.replica_codes import Code
from quire.formats.signed_offer import OfferAnswer
from quire.kernels.signing import address_of, sign_recoverable
from quire.net.answering import Answering
from quire.net.discovery import Finder
from quire.net.identity import Identity
from quire.net.known_peer import KnownPeer
from quire.net.memory import MemoryNetwork, MemoryTransport
from quire.net.request_frames import FRAME_BYTES
from quire.net.requests import Requests
from quire.point.choice_port import Need
from quire.point.offer import sign_offer
from quire.point.shards import shard_cid, shards_of
from quire.point.values import Offer, SignedOffer
from quire.services.retail.offer_client import OfferClient
from quire.services.retail.provider_search import ProviderPorts
from quire.services.retail.providers import Providers
from quire.services.retail.replica_client import ReplicaClient
from quire.sim.clock import SimClock
from quire.sim.loop import SimLoop, run
from quire.store.journal_memory import MemoryJournal

PROTOCOL = "/quire/replica/1.0.0"
DOMAIN = HubDomain(31337, bytes([0xC1]) * 20)
DAY = 86400
MIB = 1 << 20

T = TypeVar("T")


def key_of(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


class Shop:
    """A provider as far as its offer goes. Attributes may be changed at any time."""

    def __init__(self, town: Town, number: int, address: str = "", **terms: Any) -> None:
        self._town = town
        self.identity = Identity.of(key_of(f"peer {number}"))
        self.payee_key = key_of(f"payee {number}")
        self.address = address or f"/memory/{number}"
        self.terms = terms
        self.code = Code.OK
        self.is_silent = False
        self.delay = 0.0  # seconds before it answers
        self.asked = 0
        self.forge: Callable[[OfferAnswer], OfferAnswer] = lambda answer: answer
        self.transport = MemoryTransport(town.network, self.identity.peer_id, self.address)

    @property
    def peer(self) -> str:
        return self.identity.peer_id

    @property
    def known(self) -> KnownPeer:
        return KnownPeer(self.peer, (self.address,))

    def offer(self) -> SignedOffer:
        usual = Offer(
            peer_id=decode_peer_id(self.peer),
            payee=address_of(self.payee_key),
            chain_id=DOMAIN.chain_id,
            contract=DOMAIN.contract,
            price_byte_second=10,
            price_get_byte=1,
            fee_put_byte=0,
            free_bytes=1 << 30,
            max_seconds=90 * DAY,
            credit_bytes=MIB,
            valid_until=int(self._town.chain.now()) + 3600,
        )
        offer = replace(usual, **self.terms)
        return sign_offer(
            offer,
            lambda digest: sign_recoverable(self.payee_key, digest),
            self.identity.sign,
        )

    async def open(self, *, announces: bool = True) -> None:
        answering = Answering(PROTOCOL, self._answer, self._town.events)
        self.transport.serve(
            PROTOCOL, answering.serve, max_message_bytes=MAX_MESSAGE_BYTES + FRAME_BYTES
        )
        await self.transport.start()
        await self._town.meet(self.transport)
        if announces:
            for shard in shards_of(self.offer().offer.peer_id):
                key = shard_cid(shard).encode()
                await self.transport.provide(key, self._town.clock.monotonic() + 10)

    async def move(self, address: str) -> None:
        """Be somewhere else from now on."""
        await self.transport.stop(self._town.clock.monotonic() + 10)
        self.address = address
        self.transport = MemoryTransport(self._town.network, self.peer, address)
        await self.open()

    async def _answer(self, peer: str, payload: memoryview) -> Sequence[bytes]:
        decode_request(payload)
        self.asked += 1
        await asyncio.sleep(1000 if self.is_silent else self.delay)
        if self.code is not Code.OK:
            return [bytes(s) for s in ReplicaAnswer(self.code, "not today").segments()]
        signed = self.offer()
        body = OfferAnswer(signed.data, signed.sig_payee, signed.sig_peer)
        answer = ReplicaAnswer(Code.OK, body=self.forge(body))
        return [bytes(segment) for segment in answer.segments()]


class Town:
    """The network, its clocks and a journal that outlives the choosing node."""

    def __init__(self, loop: SimLoop) -> None:
        self.clock = SimClock(loop)
        self.chain = _ChainTime(self.clock)
        self.events = EventBus(self.clock)
        self.network = MemoryNetwork(self.clock)
        self.journal = MemoryJournal(self.clock)
        self.starts = 0
        self._square: MemoryTransport | None = None

    async def meet(self, transport: MemoryTransport) -> None:
        """Connect to the node that everybody knows; records are found through it."""
        if self._square is None:
            self._square = MemoryTransport(self.network, "square", "/memory/square")
            await self._square.start()
        deadline = self.clock.monotonic() + 10
        await transport.dial("square", ["/memory/square"], deadline)

    def shop(self, number: int, address: str = "", **terms: Any) -> Shop:
        return Shop(self, number, address, **terms)

    async def shops(self, count: int) -> list[Shop]:
        shops = [self.shop(number) for number in range(count)]
        for shop in shops:
            await shop.open()
        return shops

    async def chooser(self, listed: Sequence[Shop] = (), **more: Any) -> Providers:
        """A node that has just started; the same node each time."""
        self.starts += 1
        identity = Identity.of(key_of("chooser"))
        transport = MemoryTransport(self.network, identity.peer_id, f"/memory/me{self.starts}")
        await transport.start()
        await self.meet(transport)
        waits = Waits(self.clock)
        client = ReplicaClient(Requests(transport), PROTOCOL, self.clock)
        ports = ProviderPorts(
            transport=transport,
            finder=Finder(transport, self.clock, seeded_rng(1), self.events, waits=waits),
            ask_offer=OfferClient(client, self.clock).ask,
            domain=DOMAIN,
            chain=self.chain,
            journal=self.journal,
            clock=self.clock,
            events=self.events,
            waits=waits,
        )
        known = [shop.known for shop in listed]
        providers = Providers(ports, b"secret of this node", listed=known, **more)
        await providers.start()
        return providers

    def said(self, kind: str) -> list[str]:
        return [event.message for event in self.events.history() if event.kind == kind]


class _ChainTime:
    """The chain's time is that of the machine, and `ahead` seconds."""

    def __init__(self, clock: SimClock) -> None:
        self._clock = clock
        self.ahead = 0.0

    def now(self) -> float:
        return self._clock.now() + self.ahead

    async def until(self, timestamp: float, deadline: float | None = None) -> None:
        await asyncio.sleep(max(0.0, timestamp - self.now()))


def wanted(seed: bytes = b"chunk", **fields: Any) -> Need:
    usual = Need(seed, MIB, DAY, (), ())
    return replace(usual, **fields)


def play(scene: Callable[[Town], Coroutine[Any, Any, T]]) -> T:
    """A scene in virtual time."""
    loop = SimLoop(seeded_rng(1))

    async def whole() -> T:
        return await scene(Town(loop))

    return run(loop, whole())
