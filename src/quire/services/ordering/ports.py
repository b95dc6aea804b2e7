"""What orders stand on, and what each service adds to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from quire.aggregation.order import Claimed, Good, NotOwed, Order, Ready, Served, Wrong
from quire.aggregation.values import SignedOffer
from quire.base.clock import Clock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.port import ChainClock
from quire.channels.port import Payments
from quire.formats.aggregator import AggregatorAnswer, AggregatorRequest
from quire.formats.aggregator_asking import Asking, Customer, QuoteRequest
from quire.formats.aggregator_codes import Service
from quire.point.choice_port import Outcome
from quire.store.journal import Journal


class AskAggregator(Protocol):
    """One request to one aggregator."""

    async def ask(
        self,
        peer: str,
        request: AggregatorRequest,
        deadline: float,
        addresses: Sequence[str] = (),
    ) -> AggregatorAnswer:
        """`deadline`: monotonic. An answer with another code than OK is an answer.

        Raises PeerSilent, PeerGone, PeerBusy, PeerRefused, ProtocolMismatch, PeerLied."""


class Found(Protocol):
    """An aggregator that can be asked. `offer`: fresh, checked, for the quote."""

    @property
    def peer(self) -> str: ...

    @property
    def addresses(self) -> tuple[str, ...]: ...

    @property
    def offer(self) -> SignedOffer: ...


class Choice(Protocol):
    """Aggregators that this node knows, and what they turned out to be."""

    async def find(
        self,
        quote: QuoteRequest,
        *,
        via: Sequence[str] = (),
        subject: str = "",
        exclude: Collection[str] = (),
    ) -> Sequence[Found]:
        """Who offers it, the best first. `via`: only these peers; empty: everybody found."""

    def why_none(self, service: Service, via: Sequence[str] = ()) -> str:
        """What those who were asked last said instead of an offer; "": nobody was."""

    async def report(self, peer: str, outcome: Outcome, why: str = "") -> None:
        """Durable before it returns."""

    def renew(self, peer: str) -> None:
        """What it offered does not hold any more: it is to be asked for other offers."""


@dataclass(frozen=True, slots=True)
class OrderPorts:
    """`place`: where the payments mean something (services/paying/payer.place_of)."""

    client: AskAggregator
    choice: Choice
    payments: Payments
    journal: Journal
    chain: ChainClock
    clock: Clock
    events: EventBus
    waits: Waits
    place: str


class Promises(Protocol):
    """What stands behind a submission, beside the order: the aggregator's bond."""

    def problem(self, order: Order, signature: bytes) -> str:
        """Why this is not the promise that its offer speaks of; empty: it is."""

    async def claim(self, order: Order) -> Claimed | NotOwed | Ready:
        """Wait until the proof was marked as missing, or cannot be any more; then have the bond
        pay. Ready: the aggregator had submitted it."""


class Handler(Protocol):
    """What a service adds to the common life of an order. All of it may be repeated."""

    async def accept(self, order: Order, customer: Customer) -> Asking:
        """The body that orders it. Raises QuireError when it cannot any more."""

    async def check(self, order: Order) -> Good | Wrong:
        """Whether `order.result` is what was ordered. QuireError: it cannot be said; tried again
        where that can help."""

    async def watch(self, order: Order) -> Served | Wrong:
        """After the first part was paid, ENCODE only: until hosts have the blocks."""

    async def closing(self, order: Order) -> None:
        """It has ended: let go of what was kept for it."""
