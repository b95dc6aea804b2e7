"""An aggregator on a network in memory, with a hub in memory, and customers that ask it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from quire.aggregation.job import Done, Job
from quire.aggregation.values import EncodeWork, ProveWork, Service, SignedOffer, SubmitWork
from quire.base.clock import Clock, SystemClock
from quire.base.errors import QuireError
from quire.base.events import EventBus
from quire.base.units import GIB
from quire.base.waits import Waits
from quire.chain.memory.hub import MemoryHub
from quire.chain.memory.world import MemoryWorld
from quire.channels.voucher import Voucher, domain_separator, introduction_digest, sign_voucher
from quire.formats.aggregator import AggregatorAnswer, AggregatorRequest
from quire.formats.aggregator_asking import (
    AcceptEncode,
    AcceptProve,
    AcceptSubmit,
    Asking,
    QuoteRequest,
)
from quire.formats.aggregator_asking import Customer as CustomerPart
from quire.formats.aggregator_codes import Code, Stage
from quire.formats.cid import manifest_cid
from quire.kernels.signing import address_of, sign_recoverable
from quire.net.identity import Identity
from quire.net.memory import MemoryNetwork, MemoryTransport
from quire.net.requests import Requests
from quire.services.aggregating.aggregator import Aggregator, serve_aggregator
from quire.services.aggregating.doer import Accept, Accepted, Asked, Doer, Terms
from quire.services.aggregating.ports import AggregatorPorts
from quire.services.aggregating.pushed import Pushed
from quire.services.aggregating.settings import AggregatorLimits, AggregatorSettings
from quire.services.ordering.aggregator_client import AggregatorClient
from quire.services.paying.payee import Payee
from quire.store.journal import Journal
from quire.store.journal_memory import MemoryJournal
from support.memory_world import RIGHT_NOW, TERMS
from support.networks import make_network

PROTOCOL = "/quire/aggregator/1.0.0"
AGGREGATOR_KEY, CLIENT_KEY, OTHER_KEY = (bytes([number]) * 32 for number in (0x61, 0x62, 0x63))
AGGREGATOR, CLIENT, OTHER = map(address_of, (AGGREGATOR_KEY, CLIENT_KEY, OTHER_KEY))
DEPOSIT = 10**12
SETTINGS = AggregatorSettings(
    encode_price=1000, first_percent=60, prove_price=70, submit_price=40, bond=500
)
JOB, SECOND, THIRD = bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48))
WORD, KEY_HASH = b"\x07" * 32, b"\x08" * 32
ORIGINAL = manifest_cid(b"original")
PROOF = bytes(range(256))
QUOTES = {
    Service.ENCODE: QuoteRequest(Service.ENCODE, GIB, 65536, 4, 2),
    Service.PROVE: QuoteRequest(Service.PROVE),
    Service.SUBMIT: QuoteRequest(Service.SUBMIT),
}
HOUR = 3600


class FakeDoer:
    """Does what it is told to, when it may."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now
        self.may_end = asyncio.Event()
        self.problem = ""
        self.refusal: AggregatorAnswer | None = None
        self.error: QuireError | None = None
        self.accepted: list[Asked] = []
        self.begun: list[str] = []
        self.dropped: list[str] = []

    def offer_problem(self, quote: QuoteRequest) -> str:
        return self.problem

    def terms(self, quote: QuoteRequest) -> Terms:
        is_proof = quote.service is Service.PROVE
        return Terms(100, KEY_HASH) if is_proof else Terms(100)

    async def accept(self, asked: Asked) -> Accepted | AggregatorAnswer:
        if self.refusal is not None:
            return self.refusal
        self.accepted.append(asked)
        match asked.body:
            case AcceptEncode(_, manifest):
                quote = asked.quote
                size = (quote.dataset_size, quote.block_size)
                return Accepted(EncodeWork(manifest, quote.k, quote.m, *size))
            case AcceptProve(_, key_hash, witness):
                return Accepted(ProveWork(key_hash, bytes(witness)))
            case AcceptSubmit() as body:
                work = SubmitWork(body.slot_id, body.period, body.challenge, body.proof, 500)
                return Accepted(work, b"s" * 65)

    def again(self, job: Job, body: Accept) -> bool:
        match job.work, body:
            case EncodeWork(original=original), AcceptEncode(_, manifest):
                return original == manifest
            case ProveWork(public=public), AcceptProve(_, _, witness):
                return public == bytes(witness)
            case SubmitWork(proof=proof), AcceptSubmit(proof=told):
                return proof == told
        return False

    async def do(self, job: Job) -> Done:
        self.begun.append(job.key)
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        now = self.now()
        match job.work:
            case EncodeWork():
                return Done(b"receipt", now, b"r" * 65)
            case ProveWork():
                return Done(PROOF, now)
            case SubmitWork():
                return Done(WORD, now, b"", 77)

    async def drop(self, job: Job) -> None:
        self.dropped.append(job.key)

    def progress(self, job: Job) -> tuple[int, str]:
        return 250, "a quarter of it"


@dataclass
class Patron:
    """A customer of the aggregator: an account, a peer, and what it says."""

    key: bytes
    transport: MemoryTransport
    client: AggregatorClient
    place: Workshop
    requests: Requests

    @property
    def account(self) -> bytes:
        return address_of(self.key)

    @property
    def introduction(self) -> bytes:
        domain = domain_separator(self.place.hub.domain)
        peer = self.transport.peer_id
        digest = introduction_digest(domain, self.account, AGGREGATOR, peer)
        return sign_recoverable(self.key, digest)

    def customer(self, offer: SignedOffer) -> CustomerPart:
        return CustomerPart(self.account, offer.digest, self.introduction)

    async def ask(self, job_id: bytes, body: Asking, seconds: float = 10.0) -> AggregatorAnswer:
        place = self.place
        deadline = place.clock.monotonic() + seconds
        request = AggregatorRequest(job_id, body)
        return await self.client.ask(place.peer, request, deadline, place.addresses)

    async def offer(self, quote: QuoteRequest) -> SignedOffer:
        place = self.place
        deadline = place.clock.monotonic() + 10
        return await self.client.quote(place.peer, quote, deadline, place.addresses)

    async def order(self, service: Service, quote: QuoteRequest | None = None) -> Accept:
        """An accept of an offer of now."""
        customer = self.customer(await self.offer(quote or QUOTES[service]))
        until = self.place.now + HOUR
        match service:
            case Service.ENCODE:
                return AcceptEncode(customer, ORIGINAL, until)
            case Service.PROVE:
                return AcceptProve(customer, KEY_HASH, b"witness", until)
            case Service.SUBMIT:
                return AcceptSubmit(customer, WORD, 7, WORD, PROOF, until)

    def voucher(self, cumulative: int) -> Voucher:
        domain = domain_separator(self.place.hub.domain)
        return sign_voucher(self.key, domain, self.account, AGGREGATOR, cumulative)

    async def pay(self, cumulative: int) -> None:
        await self.place.income.take(self.voucher(cumulative))

    async def leave(self) -> None:
        self.requests.stop()
        await self.transport.stop(asyncio.get_running_loop().time() + 5)


@dataclass
class Workshop:
    """The aggregator; `open` again after `close` is a restart. `equip` gives its doers at each."""

    equip: Callable[[Workshop], Mapping[Service, Doer]]
    network: MemoryNetwork = field(default_factory=make_network)
    settings: AggregatorSettings = SETTINGS
    limits: AggregatorLimits = field(default_factory=AggregatorLimits)
    clock: Clock = field(default_factory=SystemClock)
    journal: Journal | None = None
    transport: MemoryTransport | None = None
    pushed: Pushed | None = None

    def __post_init__(self) -> None:
        self.world = MemoryWorld(TERMS, RIGHT_NOW)
        for account in (AGGREGATOR, CLIENT, OTHER):
            self.world.mint(account, 10**15)
        self.identity = Identity.of(AGGREGATOR_KEY)
        self.hub = MemoryHub(self.world, AGGREGATOR)
        self.journal = self.journal or MemoryJournal(self.clock)
        self.events = EventBus(self.clock)
        self.patrons: list[Patron] = []
        self.starts = 0

    @property
    def now(self) -> int:
        return int(self.hub.clock.now())

    @property
    def peer(self) -> str:
        return self.identity.peer_id

    @property
    def addresses(self) -> list[str]:
        assert self.transport is not None
        return self.transport.listen_addresses()

    def sign(self, digest: bytes) -> bytes:
        return sign_recoverable(AGGREGATOR_KEY, digest)

    async def open(self) -> None:
        self.starts += 1
        assert self.journal is not None
        self.income = Payee(self.hub, self.journal, self.events)
        self.doers = self.equip(self)
        ports = AggregatorPorts(
            journal=self.journal,
            hub=self.hub,
            income=self.income,
            identity=self.identity,
            sign=self.sign,
            clock=self.clock,
            events=self.events,
            waits=Waits(self.clock),
        )
        self.aggregator = Aggregator(ports, self.settings, self.doers, self.pushed, self.limits)
        address = f"/memory/aggregator-{self.starts}"
        self.transport = MemoryTransport(self.network, self.peer, address)
        self.answering = serve_aggregator(self.transport, PROTOCOL, self.aggregator)
        await self.income.start()
        await self.aggregator.start()
        await self.transport.start()

    async def close(self) -> None:
        assert self.transport is not None
        await self.answering.stop()
        await self.transport.stop(asyncio.get_running_loop().time() + 5)
        await self.aggregator.stop()
        await self.income.stop()

    async def patron(self, key: bytes = CLIENT_KEY, *, deposit: int = DEPOSIT) -> Patron:
        """A peer of its own; `deposit` goes into its channel."""
        number = len(self.patrons)
        peer = Identity.of(bytes([9, number]) * 16).peer_id
        transport = MemoryTransport(self.network, peer, f"/memory/patron-{number}")
        await transport.start()
        requests = Requests(transport)
        client = AggregatorClient(requests, PROTOCOL, self.clock)
        patron = Patron(key, transport, client, self, requests)
        self.patrons.append(patron)
        if deposit:
            hub = MemoryHub(self.world, patron.account)
            await hub.deposit(deposit)
            await hub.allocate([(AGGREGATOR, deposit)])
        return patron

    def job(self, job_id: bytes = JOB) -> Job:
        job = self.aggregator.jobs.find(job_id)
        assert job is not None
        return job

    async def until(self, stage: Stage, job_id: bytes = JOB) -> Job:
        async with asyncio.timeout(20):
            while self.job(job_id).at is not stage:
                await asyncio.sleep(0.005)
        return self.job(job_id)

    async def until_dropped(self, job_id: bytes = JOB) -> Job:
        async with asyncio.timeout(20):
            while not self.job(job_id).is_dropped:
                await asyncio.sleep(0.005)
        return self.job(job_id)

    def advance(self, seconds: int) -> None:
        """Let time of the chain pass."""
        self.world.set_time(self.now + seconds)
        self.world.mine()


@dataclass
class Scene:
    """A workshop with a doer that does as it is told, and its first customer."""

    place: Workshop
    doer: FakeDoer
    patron: Patron

    async def take(self, service: Service, job_id: bytes = JOB) -> AggregatorAnswer:
        """Order, and let it be done at once; the answer to the accept."""
        self.doer.may_end.set()
        body = await self.patron.order(service)
        answer = await self.patron.ask(job_id, body)
        assert answer.code is Code.OK, answer
        await self.place.until(Stage.READY, job_id)
        return answer


@asynccontextmanager
async def workshop(
    equip: Callable[[Workshop], Mapping[Service, Doer]], **options: object
) -> AsyncGenerator[Workshop, None]:
    """An aggregator that serves; `options` of Workshop."""
    place = Workshop(equip, **options)  # type: ignore[arg-type]
    await place.open()
    try:
        yield place
    finally:
        for patron in place.patrons:
            await patron.leave()
        await place.close()


@asynccontextmanager
async def scene(
    services: tuple[Service, ...] = tuple(Service), **options: object
) -> AsyncGenerator[Scene, None]:
    doer = FakeDoer(lambda: place.now)
    async with workshop(lambda _: dict.fromkeys(services, doer), **options) as place:
        yield Scene(place, doer, await place.patron())
