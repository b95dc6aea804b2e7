"""Lets an aggregator submit this host's proofs, and submits them itself when that goes wrong.

    a proof is made ─► carry ─► an aggregator, appointed on the chain ─► order (SUBMIT)
       promised in time?   no ─► the host's own turn when 40 % of the period are left
                          yes ─► the host's own turn when only its tries are left
       in the chain? ─► paid     marked as missing? ─► the bond is claimed

The host's own sender has every proof from the start and is only held back, so that whatever happens
here, it sends in time. Source   market.md 6.3, 6.4; ADR 0044
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Protocol

from quire.aggregation.order import At, Order
from quire.aggregation.values import SubmitWork
from quire.base.errors import QuireError
from quire.base.events import EventBus
from quire.chain.abi import id_text
from quire.chain.bonds import CLAIM_SECONDS, Bonds
from quire.chain.port import Market
from quire.chain.values import Address, SlotId
from quire.formats.aggregator_asking import QuoteRequest
from quire.formats.aggregator_codes import Service
from quire.market.submit_policy import Ready, own_turn, promise_until
from quire.services.market_feed import Feed
from quire.services.ordering.new_order import new_order
from quire.services.ordering.ports import Choice, Found, Handler, Promises
from quire.services.ordering.submit_orders import SubmitHandler

UNPROMISED = (At.FUNDING, At.ASKING)
IN_GOOD_HANDS = (At.WAITING, At.CHECKING, At.PAYING, At.SETTLED)


class SubmitOrders(Protocol):
    """What is asked of services.ordering.orders.Orders."""

    def handle(self, service: Service, handler: Handler, promises: Promises | None) -> None: ...

    async def begin(self, order: Order) -> None: ...

    async def cancel(self, key: str) -> Order: ...

    def all(self) -> list[Order]: ...

    def listen(
        self, listener: Callable[[str, Order | None, Order], None]
    ) -> Callable[[], None]: ...


@dataclass(frozen=True, slots=True)
class DelegationPorts:
    market: Market
    bonds: Bonds
    feed: Feed
    orders: SubmitOrders
    choice: Choice
    rng: random.Random
    events: EventBus


@dataclass(slots=True, eq=False)
class _Handed:
    """A proof of the present period, and how its own turn is moved.

    refused_by  peers that did not take it
    """

    ready: Ready
    own_turn: float
    hold: Callable[[float], None]
    refused_by: list[str]


class Delegation:
    """Of one host. Implements services.period_prover.Courier.

    via  the peers that alone are asked; none: whoever offers it
    """

    def __init__(self, ports: DelegationPorts, via: Sequence[str] = ()) -> None:
        self._ports = ports
        self._market = ports.market
        self._via = tuple(via)
        self._handed: dict[tuple[SlotId, int], _Handed] = {}
        self._appointed: dict[Address, None] = {}
        self._appointing = asyncio.Lock()
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._unlisten: list[Callable[[], None]] = []
        self._handler = SubmitHandler(ports.market, ports.bonds)
        ports.orders.handle(Service.SUBMIT, self._handler, self._handler)

    # ---- life ----

    async def start(self) -> None:
        """After the orders, before the feed."""
        orders, feed = self._ports.orders, self._ports.feed
        self._unlisten = [orders.listen(self._on_order), feed.listen(self._handler.hear)]

    async def stop(self) -> None:
        """Orders go on with the next start."""
        while self._unlisten:
            self._unlisten.pop()()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    # ---- what the prover tells ----

    def carry(self, ready: Ready, send_seconds: float, hold: Callable[[float], None]) -> float:
        self._forget_before(ready.period)
        turn = own_turn(ready.latest, send_seconds)
        handed = _Handed(ready, turn, hold, [])
        self._handed[ready.slot_id, ready.period] = handed
        order = self._order_for(ready)
        if order is not None:  # of an earlier life
            if order.at in UNPROMISED:
                self._begin(self._give_up_unpromised(handed, order.key))
            return self._held_until(handed, order)
        if self._now >= self._patience_ends(handed):
            return 0.0
        self._begin(self._hand_over(handed))
        return self._patience_ends(handed)

    def sent(self, ready: Ready) -> None:
        self._handed.pop((ready.slot_id, ready.period), None)
        order = self._order_for(ready)
        if order is not None and order.at in UNPROMISED:
            self._begin(self._cancel(order.key))

    def is_in_chain(self, slot_id: SlotId, period: int) -> None:
        self._handed.pop((slot_id, period), None)  # an order that is under way ends by itself

    # ---- an aggregator for it ----

    async def _hand_over(self, handed: _Handed) -> None:
        """Order it; when that comes to nothing, the host does it at once."""
        subject = id_text(handed.ready.slot_id)
        try:
            found = await self._find(handed)
            if self._is_over(handed):
                return
            if found is None or self._now >= self._patience_ends(handed):
                handed.hold(0.0)
                return
            order = self._order(handed.ready, found)
            await self._ports.orders.begin(order)
        except QuireError as error:
            handed.hold(0.0)
            words = f"no aggregator submits its proof, this node does: {error.message}"
            self._ports.events.publish("delegation.alone", subject, words)
            return
        await self._give_up_unpromised(handed, order.key)

    async def _give_up_unpromised(self, handed: _Handed, key: str) -> None:
        """From then on the host sends itself, and nobody else is to."""
        await self._market.clock.until(self._patience_ends(handed))
        order = self._order_for(handed.ready)
        if order is not None and order.key == key and order.at in UNPROMISED:
            await self._cancel(key)

    async def _find(self, handed: _Handed) -> Found | None:
        """The best that is appointed; when none is, the best is appointed. None: nobody does it."""
        exclude = [*handed.refused_by, *self._promise_breakers()]
        offered = await self._ports.choice.find(
            QuoteRequest(Service.SUBMIT),
            via=self._via,
            subject=id_text(handed.ready.slot_id),
            exclude=exclude,
        )
        period = handed.ready.period
        async with self._appointing:  # several proofs are ready at once
            for each in offered:
                is_appointed = await self._is_appointed(each.offer.offer.payee)
                if is_appointed and await self._is_covered(each, period):
                    return each
            for each in offered:
                if await self._is_covered(each, period):
                    await self._appoint(each)
                    return each
        return None

    def _promise_breakers(self) -> list[str]:
        """Those of whom it is not known yet what they owe."""
        return [order.peer for order in self._ports.orders.all() if order.at is At.CLAIMING]

    async def _is_covered(self, found: Found, period: int) -> bool:
        """Whether its bond is as large as what it would promise, for as long as it counts."""
        offer = found.offer.offer
        bond = await self._ports.bonds.bond(offer.payee)
        return bond.until(self._market.terms.period_end(period) + CLAIM_SECONDS) >= offer.bond

    async def _is_appointed(self, delegate: Address) -> bool:
        if delegate not in self._appointed:
            if not await self._market.is_proof_delegate(self._market.account, delegate):
                return False
            self._appointed[delegate] = None
        return True

    async def _appoint(self, found: Found) -> None:
        delegate = found.offer.offer.payee
        await self._market.set_proof_delegate(delegate, True)
        self._appointed[delegate] = None
        words = f"{id_text(delegate)} ({found.peer}) may submit proofs for the slots of this host"
        self._ports.events.publish("delegation.appointed", id_text(delegate), words)

    def _order(self, ready: Ready, found: Found) -> Order:
        bond = found.offer.offer.bond
        work = SubmitWork(ready.slot_id, ready.period, ready.challenge, ready.proof, bond)
        deadline = self._market.terms.period_end(ready.period)
        subject, account = id_text(ready.slot_id), self._market.account
        return new_order(found, work, self._ports.rng, account, subject, deadline)

    # ---- what becomes of it ----

    def _on_order(self, _key: str, before: Order | None, order: Order) -> None:
        work = order.work
        if not isinstance(work, SubmitWork) or (before is not None and before.at is order.at):
            return
        handed = self._handed.get((work.slot_id, work.period))
        if handed is None or handed.ready.challenge != work.challenge:
            return
        if order.at is At.REFUSED and self._now < self._patience_ends(handed):
            self._appointed.pop(order.offer.offer.payee, None)  # look again
            handed.refused_by.append(order.peer)
            self._begin(self._hand_over(handed))
            return
        handed.hold(self._held_until(handed, order))

    def _held_until(self, handed: _Handed, order: Order) -> float:
        """When it is the host's turn, as the order stands."""
        if order.at in UNPROMISED:
            return self._patience_ends(handed)
        return handed.own_turn if order.at in IN_GOOD_HANDS else 0.0

    def _is_over(self, handed: _Handed) -> bool:
        """Whether its proof is in the chain, or not wanted any more."""
        return self._handed.get((handed.ready.slot_id, handed.ready.period)) is not handed

    def _patience_ends(self, handed: _Handed) -> float:
        """Until when a promise is waited for."""
        return min(promise_until(handed.ready.period, self._market.terms), handed.own_turn)

    def _order_for(self, ready: Ready) -> Order | None:
        """The newest for this very proof."""
        wanted = (ready.slot_id, ready.period, ready.challenge)
        for order in reversed(self._ports.orders.all()):
            work = order.work
            if not isinstance(work, SubmitWork):
                continue
            if (work.slot_id, work.period, work.challenge) == wanted:
                return order
        return None

    # ---- inside ----

    @property
    def _now(self) -> float:
        return self._market.clock.now()

    def _forget_before(self, period: int) -> None:
        self._handed = {place: each for place, each in self._handed.items() if place[1] >= period}

    async def _cancel(self, key: str) -> None:
        try:
            await self._ports.orders.cancel(key)
        except QuireError as error:
            self._ports.events.publish("delegation.trouble", key, error.message)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="delegation")
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
