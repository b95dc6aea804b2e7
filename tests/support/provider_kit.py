"""A provider of sealed replicas with a real store, a hub in memory, and clients on a network in
memory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from quire.base.clock import Clock, SystemClock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.memory.hub import MemoryHub
from quire.chain.memory.world import MemoryWorld
from quire.channels.voucher import Voucher, domain_separator, introduction_digest, sign_voucher
from quire.formats.cid import Cid
from quire.formats.replica import ReplicaAnswer
from quire.formats.replica_answers import (
    Have,
    ReceiptAnswer,
)
from quire.formats.replica_asking import (
    Asking,
    OfferRequest,
    SegmentData,
    SegmentMap,
    SignRequest,
    StoreRequest,
)
from quire.formats.replica_codes import Code
from quire.formats.signed_offer import OfferAnswer
from quire.kernels.hashing import merkle_root, sha256_blocks
from quire.kernels.signing import address_of, sign_recoverable
from quire.net.identity import Identity
from quire.net.memory import MemoryNetwork, MemoryTransport
from quire.net.requests import Requests
from quire.net.transport import Transport
from quire.point.lease import Lease
from quire.point.offer import open_offer
from quire.point.receipt import decode_terms
from quire.point.values import BLOCK_BYTES, Receipt, SignedOffer
from quire.services.paying.payee import Payee
from quire.services.pointers import Pointers
from quire.services.providing.ports import ProviderPorts
from quire.services.providing.provider import Provider, serve_replicas
from quire.services.providing.settings import ProviderLimits, ProviderSettings
from quire.services.retail.replica_client import ReplicaClient
from quire.store.journal_memory import MemoryJournal
from quire.store.store import Store
from support.memory_world import RIGHT_NOW, TERMS
from support.networks import make_network
from support.store_kit import store_in

PROTOCOL = "/quire/replica/1.0.0"
PROVIDER_KEY, CLIENT_KEY, OTHER_KEY = (bytes([number]) * 32 for number in (0x51, 0x52, 0x53))
PROVIDER, CLIENT, OTHER = map(address_of, (PROVIDER_KEY, CLIENT_KEY, OTHER_KEY))
DEPOSIT = 10**12
SETTINGS = ProviderSettings(price_byte_second=2, price_get_byte=3, fee_put_byte=5)
DAY = 86_400


@dataclass(frozen=True)
class Replica:
    """Sealed blocks as a client has them, the last one padded, and the ways to name them."""

    data: bytes
    sealed_bytes: int
    leaves: bytes
    root: bytes

    @classmethod
    def random(cls, seed: int, sealed_bytes: int) -> Replica:
        data = random.Random(seed).randbytes(sealed_bytes) + bytes(-sealed_bytes % BLOCK_BYTES)
        leaves = sha256_blocks(data, BLOCK_BYTES)
        return cls(data, sealed_bytes, leaves, merkle_root(leaves))

    @property
    def blocks(self) -> int:
        return len(self.data) // BLOCK_BYTES

    @property
    def map(self) -> SegmentMap:
        return SegmentMap(self.root, self.leaves, self.sealed_bytes)

    def run(self, index: int, count: int = 1) -> SegmentData:
        return SegmentData(index, self.data[index * BLOCK_BYTES : (index + count) * BLOCK_BYTES])


@dataclass
class Customer:
    """A client of the provider: an account, a peer, and what it says."""

    key: bytes
    transport: Transport
    client: ReplicaClient
    place: At
    requests: Requests
    payee: bytes = PROVIDER

    @property
    def account(self) -> bytes:
        return address_of(self.key)

    def voucher(self, cumulative: int) -> Voucher:
        domain = domain_separator(self.place.hub.domain)
        return sign_voucher(self.key, domain, self.account, self.payee, cumulative)

    @property
    def introduction(self) -> bytes:
        return self.introduction_of(self.transport.peer_id)

    def introduction_of(self, peer: str) -> bytes:
        domain = domain_separator(self.place.hub.domain)
        digest = introduction_digest(domain, self.account, self.payee, peer)
        return sign_recoverable(self.key, digest)

    async def ask(self, link_id: bytes, body: Asking) -> ReplicaAnswer:
        place = self.place
        return await self.client.ask(place.provider_peer, place.addresses, link_id, body)

    async def offer(self) -> SignedOffer:
        answer = await self.ask(bytes(16), OfferRequest(0, 0))
        assert isinstance(answer.body, OfferAnswer)
        return open_offer(answer.body.offer, answer.body.sig_payee, answer.body.sig_peer)

    async def order(self, replica: Replica, seconds: int = DAY) -> StoreRequest:
        """A request for room, on the terms of the offer of now."""
        return StoreRequest(
            replica.sealed_bytes,
            replica.blocks,
            int(self.place.hub.clock.now()) + seconds,
            self.account,
            (await self.offer()).digest,
            self.introduction,
        )

    async def reserve(self, link_id: bytes, replica: Replica, seconds: int = DAY) -> None:
        answer = await self.ask(link_id, await self.order(replica, seconds))
        assert answer.code is Code.OK, answer

    async def send_map(self, link_id: bytes, replica: Replica) -> Have:
        answer = await self.ask(link_id, replica.map)
        assert answer.code is Code.OK, answer
        assert isinstance(answer.body, Have)
        return answer.body

    async def send_all(self, link_id: bytes, replica: Replica) -> None:
        for index in range(0, replica.blocks, 4):
            count = min(4, replica.blocks - index)
            answer = await self.ask(link_id, replica.run(index, count))
            assert answer.code is Code.OK, answer

    async def sign(self, link_id: bytes, replica: Replica) -> Receipt:
        answer = await self.ask(link_id, SignRequest(replica.root))
        assert answer.code is Code.OK, answer
        assert isinstance(answer.body, ReceiptAnswer)
        return Receipt(decode_terms(answer.body.typed), answer.body.signature)

    async def put(self, link_id: bytes, replica: Replica, seconds: int = DAY) -> Receipt:
        """All of it, up to the receipt; nothing is paid."""
        await self.reserve(link_id, replica, seconds)
        await self.send_map(link_id, replica)
        await self.send_all(link_id, replica)
        return await self.sign(link_id, replica)

    async def leave(self) -> None:
        self.requests.stop()
        await self.transport.stop(asyncio.get_running_loop().time() + 5)

    async def pay(self, cumulative: int) -> None:
        await self.place.income.take(self.voucher(cumulative))


class At(Protocol):
    """Where a customer finds a provider."""

    @property
    def provider_peer(self) -> str: ...

    @property
    def addresses(self) -> list[str]: ...

    @property
    def hub(self) -> MemoryHub: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def network(self) -> MemoryNetwork: ...

    @property
    def income(self) -> Payee: ...


async def customer_of(at: At, key: bytes, number: int, deposit: int) -> Customer:
    """A client, the `number`th of a network, with so much in its channel."""
    identity = Identity.of(bytes([7, number]) * 16)
    transport = MemoryTransport(at.network, identity.peer_id, f"/memory/customer-{number}")
    await transport.start()
    requests = Requests(transport)
    customer = Customer(key, transport, ReplicaClient(requests, PROTOCOL, at.clock), at, requests)
    if deposit:
        hub = MemoryHub(at.hub.world, address_of(key))
        await hub.deposit(deposit)
        await hub.allocate([(PROVIDER, deposit)])
    return customer


@dataclass
class Place:
    """The provider; `open` again after `close` is a restart."""

    store: Store
    world: MemoryWorld
    network: MemoryNetwork
    settings: ProviderSettings = SETTINGS
    limits: ProviderLimits = field(default_factory=ProviderLimits)
    clock: SystemClock = field(default_factory=SystemClock)
    announced: list[Cid] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.identity = Identity.of(PROVIDER_KEY)
        self.hub = MemoryHub(self.world, PROVIDER)
        self.journal = MemoryJournal(self.clock)
        self.events = EventBus(self.clock)
        self.customers: list[Customer] = []
        self.starts = 0

    @property
    def now(self) -> int:
        return int(self.hub.clock.now())

    @property
    def provider_peer(self) -> str:
        return self.identity.peer_id

    @property
    def addresses(self) -> list[str]:
        return self.transport.listen_addresses()

    async def open(self) -> None:
        self.starts += 1
        self.income = Payee(self.hub, self.journal, self.events)
        ports = ProviderPorts(
            store=self.store,
            journal=self.journal,
            hub=self.hub,
            income=self.income,
            identity=self.identity,
            sign=lambda digest: sign_recoverable(PROVIDER_KEY, digest),
            pointers=Pointers(self.journal, self.clock, self.announced.append, lambda _: None),
            clock=self.clock,
            events=self.events,
            waits=Waits(self.clock),
        )
        self.provider = Provider(ports, self.settings, self.announced.append, self.limits)
        self.transport = MemoryTransport(
            self.network, self.identity.peer_id, f"/memory/provider-{self.starts}"
        )
        self.answering = serve_replicas(self.transport, PROTOCOL, self.provider)
        await self.income.start()
        await self.provider.start()
        await self.transport.start()

    async def close(self) -> None:
        await self.answering.stop()
        await self.transport.stop(asyncio.get_running_loop().time() + 5)
        await self.provider.stop()
        await self.income.stop()

    async def customer(self, key: bytes = CLIENT_KEY, *, deposit: int = DEPOSIT) -> Customer:
        """A peer of its own; `deposit` goes into its channel."""
        customer = await customer_of(self, key, len(self.customers), deposit)
        self.customers.append(customer)
        return customer

    def lease(self, link_id: bytes) -> Lease:
        lease = self.provider.leases.find(link_id)
        assert lease is not None
        return lease

    async def until(self, link_id: bytes, state: str) -> Lease:
        """Wait until a lease is in a state; until its space is given back when it is DELETED."""
        async with asyncio.timeout(10):
            while True:
                lease = self.lease(link_id)
                if lease.at.name == state and (lease.is_closed or state != "DELETED"):
                    return lease
                await asyncio.sleep(0.005)

    async def until_due(self, account: bytes, amount: int) -> None:
        """Wait until an account owes so much."""
        async with asyncio.timeout(10):
            while self.income.due(account) != amount:
                await asyncio.sleep(0.005)

    def advance(self, seconds: int) -> None:
        """Let time of the chain pass."""
        self.world.set_time(self.now + seconds)
        self.world.mine()


@asynccontextmanager
async def provider_in(directory: Path, **options: Any) -> AsyncGenerator[Place, None]:
    """A provider that serves; `options` of Place, and `quota_bytes`."""
    world = MemoryWorld(TERMS, RIGHT_NOW)
    for account in (PROVIDER, CLIENT, OTHER):
        world.mint(account, 10**15)
    quota = options.pop("quota_bytes", 1 << 28)
    clock = SystemClock()
    async with store_in(directory, quota_bytes=quota, pack_bytes_max=1 << 24, clock=clock) as store:
        place = Place(store, world, make_network(), **options)
        await place.open()
        try:
            yield place
        finally:
            for customer in place.customers:
                await customer.leave()
            await place.close()
