"""Nodes that submit for others and nodes that let them, as services, with a line between them that
loses what it is told to. The chain is whatever their ports reach.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from quire.aggregation.offer import check_offer, open_offer
from quire.aggregation.values import Service, SignedOffer
from quire.base.clock import Clock
from quire.base.errors import ChainUnreachable, PeerSilent
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.bonds import Bonds
from quire.chain.hub import Hub, HubDomain
from quire.chain.port import Market
from quire.formats.aggregator import AggregatorAnswer, AggregatorRequest, decode_answer
from quire.formats.aggregator_asking import QuoteRequest
from quire.formats.aggregator_codes import Code
from quire.formats.peer_id import decode_peer_id
from quire.formats.signed_offer import OfferAnswer
from quire.kernels.signing import sign_recoverable
from quire.net.identity import Identity
from quire.point.choice_port import Outcome
from quire.services.aggregating.aggregator import Aggregator
from quire.services.aggregating.ports import AggregatorPorts
from quire.services.aggregating.proof_checks import ProofChecks, VerifyProofs
from quire.services.aggregating.settings import AggregatorSettings
from quire.services.aggregating.submitting import Submitting, SubmittingPorts
from quire.services.market_feed import MarketFeed
from quire.services.ordering.delegation import Delegation, DelegationPorts
from quire.services.ordering.orders import Orders
from quire.services.ordering.ports import OrderPorts
from quire.services.paying.payee import Payee
from quire.services.paying.payer import Payer, PayerPorts, place_of
from quire.services.paying.voucher_line import VoucherLine
from quire.store.journal import Journal
from quire.store.journal_memory import MemoryJournal
from support.pay_kit import Wire

PAY = "/quire/pay/1.0.0"


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
class Ground:
    """What all nodes of a fleet share. `domain`: of the hub."""

    clock: Clock
    rng: random.Random
    line: Line
    wire: Wire
    domain: HubDomain


@dataclass(frozen=True)
class Access:
    """One account on the chain, and the key of its node, which is the same."""

    market: Market
    hub: Hub
    bonds: Bonds
    key: bytes

    @property
    def identity(self) -> Identity:
        return Identity.of(self.key)

    def sign(self, digest: bytes) -> bytes:
        return sign_recoverable(self.key, digest)


@dataclass(frozen=True)
class Offered:
    peer: str
    addresses: tuple[str, ...]
    offer: SignedOffer


class Choosing:
    """Implements Choice: all aggregators of the fleet, the cheapest first, but for those of whom
    bad was reported more than twice."""

    def __init__(self, ground: Ground, client: Client) -> None:
        self._ground = ground
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
        for peer in self._ground.line.aggregators:
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
            domain, now = self._ground.domain, self._ground.clock.now()
            check_offer(offer, decode_peer_id(peer), quote, domain, now)
            found.append(Offered(peer, (), offer))
        return sorted(found, key=lambda each: (each.offer.offer.price, each.peer))

    def _shuns(self, peer: str) -> bool:
        bad = [1 for who, outcome, _ in self.reports if who == peer and outcome != Outcome.KEPT]
        return len(bad) > 2

    async def report(self, peer: str, outcome: Outcome, why: str = "") -> None:
        self.reports.append((peer, outcome, why))

    def renew(self, peer: str) -> None:
        """Offers are asked for anew each time."""


class Customer:
    """The customer's side of one node, from `start` to `stop`."""

    def __init__(
        self,
        ground: Ground,
        access: Access,
        feed: MarketFeed,
        journal: Journal,
        events: EventBus,
        waits: Waits,
        choice: Choosing | None = None,
        via: tuple[str, ...] = (),
    ) -> None:
        peer, clock = access.identity.peer_id, ground.clock
        line = VoucherLine(ground.wire, PAY, waits)
        self.payer = Payer(
            PayerPorts(access.hub, journal, line, access.sign, peer),
            clock=clock,
            events=events,
            waits=waits,
        )
        client = ground.line.client(peer)
        self.choice = choice or Choosing(ground, client)
        chain, place = access.hub.clock, place_of(access.hub)
        self.orders = Orders(
            OrderPorts(client, self.choice, self.payer, journal, chain, clock, events, waits, place)
        )
        self.delegation = Delegation(
            DelegationPorts(
                access.market, access.bonds, feed, self.orders, self.choice, ground.rng, events
            ),
            via,
        )

    async def start(self) -> None:
        await self.payer.start()
        await self.orders.start()
        await self.delegation.start()

    async def stop(self) -> None:
        await self.delegation.stop()
        await self.orders.stop()
        await self.payer.stop()


class Gatherer:
    """A node that submits for others."""

    def __init__(
        self,
        ground: Ground,
        access: Access,
        settings: AggregatorSettings,
        verify: VerifyProofs,
    ) -> None:
        self.ground = ground
        self.access = access
        self.settings = settings
        self.verify = verify
        self.market, self.bonds = access.market, access.bonds
        self.account = access.market.account
        self.peer = access.identity.peer_id
        self.events = EventBus(ground.clock)
        self.waits = Waits(ground.clock)
        self.journal = MemoryJournal(ground.clock)
        self.aggregator: Aggregator | None = None
        ground.line.aggregators[self.peer] = self

    async def start(self) -> None:
        access, ground, clock = self.access, self.ground, self.ground.clock
        self.feed = MarketFeed(self.market, self.journal, self.events, clock)
        self.payee = Payee(access.hub, self.journal, self.events)
        await self.payee.start()
        ground.wire.payees[self.peer] = self.payee
        self.submitting = Submitting(
            SubmittingPorts(
                self.market,
                self.bonds,
                self.feed,
                ProofChecks(lambda items, seed: self.verify(items, seed), ground.rng),
                access.sign,
                lambda: aggregator.jobs,
                clock,
                self.events,
                self.waits,
            )
        )
        aggregator = Aggregator(
            AggregatorPorts(
                self.journal,
                access.hub,
                self.payee,
                access.identity,
                access.sign,
                clock,
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
