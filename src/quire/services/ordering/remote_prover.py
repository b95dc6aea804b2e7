"""Proofs that aggregators make for this node, which has no key to prove with, or not the time.

    claim, witness ─► who offers it for this key? ─► race, best first ─► verified here ─► used, paid
                                 └── own prover, where there is one, when half of the time is gone

An order is in the journal before it is sent, and joined, not repeated, after a restart; of those
that are under way when the first good proof is here, none is paid.

Source   market.md 6.4; docs/howto/prove-through-an-aggregator.md
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from quire.aggregation.order import ENDS, At, Order
from quire.aggregation.values import ProveWork, SignedOffer, Work
from quire.base.clock import Clock
from quire.base.errors import Busy, InputError, QuireError, Refused
from quire.base.events import EventBus
from quire.chain.port import ChainClock
from quire.chain.values import Address
from quire.dataset.circuit import CircuitParameters
from quire.dataset.proof_input import ProofInput
from quire.dataset.witness import encode_witness
from quire.flow.prove import ProofAsk, Prover
from quire.flow.workers import Workers
from quire.formats.aggregator_asking import QuoteRequest
from quire.formats.aggregator_codes import Service
from quire.services.circuits import words_of
from quire.services.ordering.new_order import new_order
from quire.services.ordering.ports import Choice, Found
from quire.services.ordering.proof_orders import ProofOrders
from quire.services.ordering.race import Entrant, Race

QUOTE = QuoteRequest(Service.PROVE)  # the same for every proof, so that offers can be kept
ASKED_MAX = 8  # aggregators for one proof
PATIENCE_SHARE = 0.25  # of the time that is left, until the next one is asked as well
PATIENCE_SECONDS_MIN = 5.0
OWN_SHARE = 0.5  # of the time, after which the own prover begins


class Ordering(Protocol):
    """As services/ordering/orders.Orders."""

    async def begin(self, order: Order) -> None: ...

    async def cancel(self, key: str) -> Order: ...

    async def until_checked(self, key: str) -> Order: ...

    def all(self) -> list[Order]: ...


@dataclass(frozen=True, slots=True)
class RemotePorts:
    """`account` pays; `rng` makes job ids."""

    orders: Ordering
    choice: Choice
    account: Address
    chain: ChainClock
    clock: Clock
    events: EventBus
    rng: random.Random


@dataclass(frozen=True, slots=True)
class OwnProver:
    """Of a node that can prove by itself as well."""

    prover: Prover
    workers: Workers


@dataclass(slots=True)
class RemoteCounts:
    """Proofs since the node started: that others made, and that the own prover had to make."""

    ordered: int = 0
    own: int = 0


class RemoteProver:
    """Satisfies flow.prove.OutsideProver. `handler` is that of the orders; `via`: peers that alone
    are asked, as ids or addresses; none: everybody who is found."""

    def __init__(
        self,
        ports: RemotePorts,
        parameters: CircuitParameters,
        handler: ProofOrders,
        via: Sequence[str] = (),
        own: OwnProver | None = None,
    ) -> None:
        self._ports = ports
        self._parameters = parameters
        self._handler = handler
        self._via = tuple(via)
        self._own = own
        self._is_ready = False  # before all orders are known, one would be made twice
        self.counts = RemoteCounts()

    def start(self) -> None:
        """After the orders."""
        self._is_ready = True

    def stop(self) -> None:
        """Before the orders, which go on with the next start: nothing is given up from now on."""
        self._is_ready = False

    @property
    def parameters(self) -> CircuitParameters:
        return self._parameters

    @property
    def key_hash(self) -> bytes:
        return self._handler.key_hash

    async def order(
        self, ask: ProofAsk, made: ProofInput, deadline: float
    ) -> tuple[bytes, tuple[bytes, ...]]:
        """The proof, verified, and its public inputs.

        Raises   Busy              nobody makes it now, with what each said
                 DeadlineExceeded
                 InputError        too many cells for a message, and no own prover
        """
        if not self._is_ready:
            raise Busy("the node is starting or stopping; it orders no proofs")
        public = b"".join(ask.claim.public())
        work = ProveWork(self.key_hash, public)
        try:
            witness = encode_witness(made, ask.host)
        except InputError:
            if self._own is None:
                raise
            return await self._prove(self._own, ask, made), words_of(public)
        self._handler.want(public, witness)
        try:
            proof = await self._race(ask, made, work, deadline)
        finally:
            if self._handler.let_go(public) and self._is_ready:
                await self._give_up(work)
        return proof, words_of(public)

    async def _race(
        self, ask: ProofAsk, made: ProofInput, work: ProveWork, deadline: float
    ) -> bytes:
        """Who has it brings it: an order that was checked, one under way, an aggregator, we."""
        known = self._of(work)
        for order in known:
            if order.checked:  # before a restart, or the pay could not be handed over
                return order.result
        under_way = [order for order in known if order.at not in ENDS]
        # All of them are listened to at once, or a second one would be paid; the next waits.
        entrants = [
            Entrant(
                order.peer,
                self._patience(order.offer, deadline) if order is under_way[-1] else 0.0,
                partial(self._until_good, order.key),
            )
            for order in under_way
        ]
        began = self._ports.clock.monotonic()
        own_at = began + OWN_SHARE * (deadline - began)
        liars = [order.peer for order in known if order.at is At.CHEATED]
        others = [*liars, *(order.peer for order in under_way)]
        for each in await self._candidates(ask, others, own_at, deadline):
            bring = partial(self._ask, each, ask, work, deadline)
            entrants.append(Entrant(each.peer, self._patience(each.offer, deadline), bring))
        reserve = None
        if self._own is not None:
            reserve = Entrant("this node", 0.0, partial(self._prove, self._own, ask, made))
        what = f"the proof of slot {ask.slot}"
        race = Race(what, entrants, self._ports.clock, deadline, reserve=reserve, reserve_at=own_at)
        return await race.run()

    # ---- aggregators ----

    async def _candidates(
        self, ask: ProofAsk, exclude: Sequence[str], own_at: float, deadline: float
    ) -> Sequence[Found]:
        """Who would make it, best first; those last that do not promise to be in time."""
        until = deadline if self._own is None else own_at
        subject = str(ask.dataset.manifest_cid)
        try:
            async with asyncio.timeout_at(until):
                found = await self._ports.choice.find(
                    QUOTE, via=self._via, subject=subject, exclude=exclude
                )
        except TimeoutError:
            return []
        left = deadline - self._ports.clock.monotonic()
        wanted = [each for each in found if each.offer.offer.key_hash == self.key_hash]
        return sorted(wanted, key=lambda each: each.offer.offer.seconds > left)[:ASKED_MAX]

    def _patience(self, signed: SignedOffer, deadline: float) -> float:
        """Twice what it says that it takes, if there is time for that."""
        left = deadline - self._ports.clock.monotonic()
        promised = max(PATIENCE_SECONDS_MIN, 2.0 * signed.offer.seconds)
        return min(PATIENCE_SHARE * left, promised)

    async def _ask(self, found: Found, ask: ProofAsk, work: ProveWork, deadline: float) -> bytes:
        left = deadline - self._ports.clock.monotonic()
        rng, account = self._ports.rng, self._ports.account
        until = int(self._ports.chain.now() + left)
        order = new_order(found, work, rng, account, str(ask.dataset.manifest_cid), until)
        price = found.offer.offer.price
        words = f"is ordered of {found.peer} for {price}, as order {order.key}"
        self._tell("ordered", ask, words)
        await self._ports.orders.begin(order)
        return await self._until_good(order.key)

    async def _until_good(self, key: str) -> bytes:
        order = await self._ports.orders.until_checked(key)
        if not order.checked:
            for other in self._of(order.work):  # which may have been quicker
                if other.checked:
                    return other.result
            raise Refused(order.why or f"the order was {order.at.value}")
        self.counts.ordered += 1
        return order.result

    def _of(self, work: Work) -> list[Order]:
        return [order for order in self._ports.orders.all() if order.work == work]

    async def _give_up(self, work: ProveWork) -> None:
        """Nobody wants the proof any more: who is still at it is told, and not paid."""
        for order in self._of(work):
            if order.at not in ENDS and not order.checked:
                try:
                    await self._ports.orders.cancel(order.key)
                except QuireError as error:
                    words = f"order {order.key} could not be cancelled: {error.message}"
                    self._ports.events.publish("prove.not-cancelled", order.subject, words)

    # ---- the own prover ----

    async def _prove(self, own: OwnProver, ask: ProofAsk, made: ProofInput) -> bytes:
        self._tell("own", ask, "is made by this node itself: no aggregator has brought it")
        proof, _ = await own.workers.prove(own.prover, made, ask.host)
        self.counts.own += 1
        return proof

    def _tell(self, what: str, ask: ProofAsk, words: str) -> None:
        subject, text = str(ask.dataset.manifest_cid), f"the proof of slot {ask.slot} {words}"
        self._ports.events.publish(f"prove.{what}", subject, text, slot=ask.slot)
