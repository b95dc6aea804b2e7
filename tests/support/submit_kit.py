"""Hosts whose proofs aggregators submit: a market, a hub and bonds in memory, on virtual time.

The services are the real ones on both sides; between them is a line that loses what it is told to.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from quire.aggregation.offer import check_offer, open_offer
from quire.aggregation.order import ENDS, Order
from quire.aggregation.values import Service, SignedOffer, SubmitWork
from quire.base.errors import ChainUnreachable, PeerSilent
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.memory.bonds import MemoryBonds
from quire.chain.memory.hub import MemoryHub
from quire.chain.memory.market import MemoryMarket
from quire.formats.aggregator import AggregatorAnswer, AggregatorRequest, decode_answer
from quire.formats.aggregator_answers import OfferAnswer
from quire.formats.aggregator_asking import QuoteRequest
from quire.formats.aggregator_codes import Code
from quire.formats.peer_id import decode_peer_id
from quire.kernels.signing import address_of, sign_recoverable
from quire.net.identity import Identity
from quire.point.choice_port import Outcome
from quire.services.aggregating.aggregator import Aggregator
from quire.services.aggregating.ports import AggregatorPorts
from quire.services.aggregating.proof_checks import ProofChecks
from quire.services.aggregating.settings import AggregatorSettings
from quire.services.aggregating.submitting import Submitting, SubmittingPorts
from quire.services.market_feed import MarketFeed
from quire.services.ordering.delegation import Delegation, DelegationPorts
from quire.services.ordering.orders import Orders
from quire.services.ordering.ports import OrderPorts
from quire.services.paying.payee import Payee
from quire.services.paying.payer import Payer, PayerPorts, place_of
from quire.services.paying.voucher_line import VoucherLine
from quire.services.period_prover import PeriodProver
from quire.sim.loop import SimLoop, run
from quire.store.journal_memory import MemoryJournal
from support.market_terms import TERMS
from support.offering import key_of
from support.pay_kit import Wire
from support.period_kit import BLOCK_SECONDS, TOKENS, Bench, FakeProofs, Host, proof_for

PAY = "/quire/pay/1.0.0"
PRICE, BOND, BONDED = 50, 1000, 100_000


def bad_proofs(items: Sequence[tuple[bytes, bytes]], _seed: bytes) -> list[int]:
    """As kernels.groth16.verify_batch, for the proofs of this bench."""
    found = []
    for at, (public, proof) in enumerate(items):
        words = [public[i : i + 32] for i in range(0, len(public), 32)]
        if proof != proof_for(words):
            found.append(at)
    return found


@dataclass
class Line:
    """Between customers and aggregators. Lost are requests and answers by the kind of the request's
    body, and whatever `loses` says; `cut` are peers of either side; `heard` is told of customer,
    aggregator and request when one was answered."""

    aggregators: dict[str, Gatherer] = field(default_factory=dict)
    lost_requests: list[type] = field(default_factory=list)
    lost_answers: list[type] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)
    loses: Callable[[AggregatorRequest], bool] = lambda _: False
    heard: Callable[[str, str, AggregatorRequest], None] = lambda *_: None
    alter_request: Callable[[AggregatorRequest], AggregatorRequest] = lambda request: request
    alter_answer: Callable[[AggregatorAnswer], AggregatorAnswer] = lambda answer: answer
    asked: list[tuple[str, AggregatorRequest, AggregatorAnswer]] = field(default_factory=list)

    def client(self, own_peer: str) -> Client:
        return Client(self, own_peer)

    async def ask(self, own: str, peer: str, request: AggregatorRequest) -> AggregatorAnswer:
        kind, there = type(request.body), self.aggregators.get(peer)
        silent = PeerSilent(f"{peer} did not answer", peer=peer)
        if {own, peer} & self.cut or there is None or there.aggregator is None:
            raise silent
        if kind in self.lost_requests or self.loses(request):
            raise silent
        request = self.alter_request(request)
        message = b"".join(bytes(part) for part in request.segments())
        segments = await there.aggregator.answer(own, memoryview(message))
        answer = self.alter_answer(decode_answer(b"".join(bytes(part) for part in segments)))
        self.asked.append((own, request, answer))
        self.heard(own, peer, request)
        if kind in self.lost_answers or self.loses(request):
            raise silent
        return answer


@dataclass(frozen=True)
class Client:
    """Implements AskAggregator."""

    line: Line
    own_peer: str

    async def ask(
        self, peer: str, request: AggregatorRequest, deadline: float, addresses: Sequence[str] = ()
    ) -> AggregatorAnswer:
        return await self.line.ask(self.own_peer, peer, request)


@dataclass(frozen=True)
class Offered:
    peer: str
    addresses: tuple[str, ...]
    offer: SignedOffer


class Choosing:
    """Implements Choice: all aggregators of the fleet, the cheapest first, but for those of whom
    bad was reported more than twice."""

    def __init__(self, fleet: Fleet, client: Client) -> None:
        self._fleet = fleet
        self._client = client
        self.reports: list[tuple[str, Outcome, str]] = []

    async def find(
        self,
        quote: QuoteRequest,
        *,
        via: Sequence[str] = (),
        subject: str = "",
        exclude: Collection[str] = (),
    ) -> list[Offered]:
        found = []
        for peer in self._fleet.line.aggregators:
            if peer in exclude or (via and peer not in via) or self._shuns(peer):
                continue
            try:
                answer = await self._client.ask(peer, AggregatorRequest(bytes(16), quote), 0.0)
            except PeerSilent:
                continue
            if answer.code is not Code.OK:
                continue
            body = answer.body
            assert isinstance(body, OfferAnswer)
            offer = open_offer(body.offer, body.sig_payee, body.sig_peer)
            now = self._fleet.clock.now()
            check_offer(offer, decode_peer_id(peer), quote, self._fleet.world.hub, now)
            found.append(Offered(peer, (), offer))
        return sorted(found, key=lambda each: (each.offer.offer.price, each.peer))

    def _shuns(self, peer: str) -> bool:
        bad = [1 for who, outcome, _ in self.reports if who == peer and outcome != Outcome.KEPT]
        return len(bad) > 2

    async def report(self, peer: str, outcome: Outcome, why: str = "") -> None:
        self.reports.append((peer, outcome, why))


@dataclass
class Weak(Host):
    """A host that lets others submit."""

    fleet: Fleet | None = None
    key: bytes = b""
    via: tuple[str, ...] = ()
    payer: Payer | None = None
    orders: Orders | None = None
    delegation: Delegation | None = None
    choice: Choosing | None = None

    @property
    def peer(self) -> str:
        return Identity.of(self.key).peer_id

    async def join(self, prover: PeriodProver) -> None:
        fleet = self.fleet
        assert fleet is not None
        identity = Identity.of(self.key)
        hub = MemoryHub(fleet.world, self.market.account, fleet.clock)
        line = VoucherLine(fleet.wire, PAY, self.waits)
        self.payer = Payer(
            PayerPorts(
                hub,
                self.journal,
                line,
                lambda digest: sign_recoverable(self.key, digest),
                identity.peer_id,
            ),
            clock=fleet.clock,
            events=self.events,
            waits=self.waits,
        )
        client = fleet.line.client(identity.peer_id)
        self.choice = self.choice or Choosing(fleet, client)
        self.orders = Orders(
            OrderPorts(
                client,
                self.choice,
                self.payer,
                self.journal,
                hub.clock,
                fleet.clock,
                self.events,
                self.waits,
                place_of(hub),
            )
        )
        self.delegation = Delegation(
            DelegationPorts(
                self.market,
                MemoryBonds(fleet.world, self.market.account, fleet.clock),
                self.feed,
                self.orders,
                self.choice,
                fleet.rng,
                self.events,
            ),
            self.via,
        )
        prover.give_to(self.delegation)
        await self.payer.start()
        await self.orders.start()
        await self.delegation.start()

    async def leave(self) -> None:
        assert self.delegation is not None
        assert self.orders is not None
        assert self.payer is not None
        await self.delegation.stop()
        await self.orders.stop()
        await self.payer.stop()

    def ends(self) -> list[str]:
        """How its orders stand, the oldest first."""
        assert self.orders is not None
        return [order.at.value for order in self.orders.all()]

    def outcomes(self) -> set[Outcome]:
        """What was reported of aggregators."""
        assert self.choice is not None
        return {outcome for _, outcome, _ in self.choice.reports}

    def order_of(self, slot: bytes, period: int) -> Order:
        assert self.orders is not None
        return next(
            order
            for order in self.orders.all()
            if isinstance(order.work, SubmitWork)
            and (order.work.slot_id, order.work.period) == (slot, period)
        )


class Gatherer:
    """A node that submits for others."""

    def __init__(self, fleet: Fleet, key: bytes, settings: AggregatorSettings) -> None:
        self.fleet = fleet
        self.key = key
        self.settings = settings
        self.account = address_of(key)
        self.identity = Identity.of(key)
        self.market = MemoryMarket(fleet.world, self.account, fleet.clock)
        self.bonds = MemoryBonds(fleet.world, self.account, fleet.clock)
        self.events = EventBus(fleet.clock)
        self.waits = Waits(fleet.clock)
        self.journal = MemoryJournal(fleet.clock)
        self.aggregator: Aggregator | None = None
        self.verify = bad_proofs
        fleet.line.aggregators[self.peer] = self

    @property
    def peer(self) -> str:
        return self.identity.peer_id

    async def start(self) -> None:
        fleet = self.fleet
        hub = MemoryHub(fleet.world, self.account, fleet.clock)
        self.feed = MarketFeed(self.market, self.journal, self.events, fleet.clock)
        self.payee = Payee(hub, self.journal, self.events)
        await self.payee.start()
        fleet.wire.payees[self.peer] = self.payee

        def sign(digest: bytes) -> bytes:
            return sign_recoverable(self.key, digest)

        self.submitting = Submitting(
            SubmittingPorts(
                self.market,
                self.bonds,
                self.feed,
                ProofChecks(lambda items, seed: self.verify(items, seed), fleet.rng),
                sign,
                lambda: aggregator.jobs,
                fleet.clock,
                self.events,
                self.waits,
            )
        )
        aggregator = Aggregator(
            AggregatorPorts(
                self.journal,
                hub,
                self.payee,
                self.identity,
                sign,
                fleet.clock,
                self.events,
                self.waits,
            ),
            self.settings,
            {Service.SUBMIT: self.submitting},
        )
        await self.submitting.start()
        await aggregator.start()
        await self.feed.start()
        self.aggregator = aggregator

    async def die(self) -> None:
        aggregator, self.aggregator = self.aggregator, None
        assert aggregator is not None
        await self.feed.stop()
        await aggregator.stop()
        await self.submitting.stop()
        await self.payee.stop()

    def mute(self) -> None:
        """From now on none of its transactions with proofs gets anywhere."""

        async def gone(_proofs: Any) -> Any:
            raise ChainUnreachable("the node of the chain does not answer")

        self.market.submit_proofs = gone  # type: ignore[method-assign]

    @property
    def batches(self) -> list[int]:
        """Sizes of the transactions with proofs of others."""
        return [
            int(str(event.facts["proofs"]))
            for event in self.events.history()
            if event.kind == "submitting.sent"
        ]


class Fleet(Bench):
    """A bench with hosts that are weak and aggregators."""

    def __init__(self, loop: SimLoop, terms: Any, block_seconds: int, seed: bytes) -> None:
        super().__init__(loop, terms, block_seconds, seed)
        self.line = Line()
        self.wire = Wire()
        self.rng = random.Random(seed)

    def weak(self, seconds: float = 1.0, via: tuple[str, ...] = ()) -> Weak:
        key = key_of(f"host {self._accounts}")
        self._accounts += 1
        account = address_of(key)
        self.world.mint(account, TOKENS)
        market = MemoryMarket(self.world, account, self.clock)
        proofs, events = FakeProofs(self.clock, seconds), EventBus(self.clock)
        journal, waits = MemoryJournal(self.clock), Waits(self.clock)
        return Weak(self, market, journal, proofs, events, waits, fleet=self, key=key, via=via)

    async def gatherer(self, name: str = "gatherer", **settings: Any) -> Gatherer:
        """With a bond, started."""
        key = key_of(name)
        self.world.mint(address_of(key), TOKENS)
        terms = AggregatorSettings((Service.SUBMIT,), submit_price=PRICE, bond=BOND)
        gatherer = Gatherer(self, key, replace(terms, **settings))
        await gatherer.bonds.deposit(BONDED)
        await gatherer.start()
        return gatherer

    async def weak_hosts(self, count: int, seconds: float = 1.0) -> list[Weak]:
        """Each with the slots of one request, started."""
        hosts = [self.weak(seconds) for _ in range(count)]
        for host in hosts:
            await self.fill(host)
            await host.start()
        return hosts

    async def until(self, fact: Callable[[], bool], periods: int = 4) -> None:
        """A second after it has come true."""
        end = self.clock.monotonic() + periods * self.terms.period
        while not fact():
            assert self.clock.monotonic() < end, "it did not come true"
            await asyncio.sleep(1.0)

    def answers(self, kind: type) -> list[AggregatorAnswer]:
        """What was answered to requests of a kind, so far."""
        return [answer for _, request, answer in self.line.asked if type(request.body) is kind]

    async def quiet(self, hosts: Sequence[Weak]) -> None:
        """Until no order is under way any more."""
        await self.until(lambda: all(o.at in ENDS for h in hosts for o in h.orders.all()), 10**4)

    def paid(self, host: Weak, gatherer: Gatherer) -> int:
        """What the host has promised to the aggregator since ever."""
        return gatherer.payee.received(host.market.account)


def run_fleet(
    story: Callable[[Fleet], Coroutine[Any, Any, None]],
    *,
    seed: int = 1,
    block_seconds: int = BLOCK_SECONDS,
    **terms: Any,
) -> None:
    """As period_kit.run_bench."""
    loop = SimLoop(random.Random(seed))

    async def main() -> None:
        fleet = Fleet(loop, replace(TERMS, **terms), block_seconds, seed.to_bytes(8, "big"))
        await fleet.blocks(2)
        await story(fleet)

    run(loop, main())
    assert not loop.failures, loop.failures
