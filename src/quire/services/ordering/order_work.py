"""What orders have done: paid, asked, checked, told; each may be repeated.

Source   market.md 6.4
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from quire.aggregation.order import (
    Ask,
    At,
    Await,
    Check,
    Claim,
    Fund,
    Funded,
    Order,
    OrderEffect,
    OrderEvent,
    Paid,
    Pay,
    Taken,
    Tell,
    Told,
    Watch,
    Wrong,
)
from quire.base.errors import ChannelTooSmall, PeerError, PeerRefused, QuireError, Refused
from quire.chain.values import Address
from quire.formats.aggregator_asking import Asking, Cancel, Customer, Dispute, Release
from quire.formats.aggregator_codes import Code, Reason, Service
from quire.point.choice_port import Outcome
from quire.services.ordering.asking import AskingOrders, Heard
from quire.services.ordering.ports import Handler, OrderPorts, Promises

RELEASE_TRIES = 8  # that are answered with UNPAID although the voucher was handed over
RELEASE_PAUSE_SECONDS = 0.5
TELL_TRIES = 3

_OUTCOMES = {
    At.SETTLED: Outcome.KEPT,
    At.REFUSED: Outcome.REFUSED,
    At.LATE: Outcome.SILENT,
    At.MADE_GOOD: Outcome.SILENT,
    At.CHEATED: Outcome.BAD_DATA,
    At.WITHHELD: Outcome.LOST,
}


class OrderWork:
    """Performs the effects of orders. `owing`: what a payee is still to be promised for all orders
    that are under way."""

    def __init__(
        self,
        ports: OrderPorts,
        asking: AskingOrders,
        handlers: Mapping[Service, Handler],
        promises: Mapping[Service, Promises],
        owing: Callable[[Address], int],
    ) -> None:
        self._ports = ports
        self._asking = asking
        self._handlers = handlers
        self._promises = promises
        self._owing = owing

    async def perform(self, order: Order, effect: OrderEffect) -> OrderEvent | None:
        """Raises QuireError."""
        match effect:
            case Fund():
                payee = order.offer.offer.payee
                await self._ports.payments.fund(payee, self._owing(payee))
                return Funded()
            case Ask():
                body = await self._handler(order).accept(order, await self._customer(order))
                return self._taken(order, await self._asking.until_taken(order, body))
            case Await():
                return await self._asking.until_ready(order)
            case Check():
                return await self._handler(order).check(order)
            case Pay(part):
                return await self._pay(order, part)
            case Watch():
                return await self._handler(order).watch(order)
            case Claim():
                promises = self._promises.get(order.offer.offer.service)
                if promises is None:
                    raise Refused("this node does not reach the contract of bonds")
                return await promises.claim(order)
            case Tell():
                return await self._tell(order, effect)

    def _handler(self, order: Order) -> Handler:
        service = order.offer.offer.service
        handler = self._handlers.get(service)
        if handler is None:
            raise Refused(
                f"the order {order.key} is for {service.name}, which this node does not order; "
                "start it with the settings it had"
            )
        return handler

    async def _customer(self, order: Order) -> Customer:
        introduction = await self._ports.payments.introduction(order.offer.offer.payee)
        return Customer(order.account, order.offer.digest, introduction)

    def _taken(self, order: Order, heard: Heard) -> Heard | Wrong:
        """A promise is looked at before it counts."""
        promises = self._promises.get(order.offer.offer.service)
        if promises is None or not isinstance(heard, Taken):
            return heard
        problem = promises.problem(order, heard.signature)
        return Wrong(Reason.SIGNATURE, problem) if problem else heard

    # ---- money ----

    async def _pay(self, order: Order, part: int) -> Paid:
        """The bill is named by job and part: however often this is done, it is promised once."""
        payee, amount = order.offer.offer.payee, order.offer.offer.part(part)
        if amount:
            pay = self._ports.payments.pay
            try:
                await pay(order.bill(part), order.peer, payee, amount)
            except ChannelTooSmall:
                await self._ports.payments.fund(payee, amount)
                await pay(order.bill(part), order.peer, payee, amount)
        await self._release(order, part)
        return Paid(part, int(self._ports.chain.now()))

    async def _release(self, order: Order, part: int) -> None:
        """Say so to the aggregator: before it knows, it does not serve for long. One that has the
        voucher and says that it lacks it is not paid again, and is not waited for.

        Raises PeerError while it cannot be told."""
        for attempt in range(RELEASE_TRIES):
            await asyncio.sleep(RELEASE_PAUSE_SECONDS * attempt)
            try:
                answer = await self._asking.ask(order, Release(part))
            except PeerError as error:
                if error.retry:
                    raise
                return
            if answer.code in (Code.BUSY, Code.INTERNAL):
                raise PeerRefused(f"{order.peer} hears of no payment now: {answer.text}")
            if answer.code is not Code.UNPAID:
                return

    # ---- the end ----

    async def _tell(self, order: Order, how: Tell) -> Told:
        body = _last_words(order, how.stripe, how.evidence)
        if body is not None:
            await self._say(order, body)
        outcome = _outcome(order)
        if order.is_stale:
            self._ports.choice.renew(order.peer)
        elif outcome is not None:
            await self._ports.choice.report(order.peer, outcome, order.why)
        handler = self._handlers.get(order.offer.offer.service)
        if handler is not None:
            await handler.closing(order)
        await self._ports.payments.forget(order.bill_prefix)
        return Told()

    async def _say(self, order: Order, body: Asking) -> None:
        for attempt in range(TELL_TRIES):
            if attempt:
                await asyncio.sleep(attempt)
            try:
                await self._asking.ask(order, body)
            except QuireError:
                continue
            return


def _outcome(order: Order) -> Outcome | None:
    """What is learnt of the aggregator; None: nothing."""
    if order.at is At.CHEATED and order.reason is Reason.SIGNATURE:
        return Outcome.BAD_SIGNATURE
    if order.at is At.CHEATED and order.reason is Reason.WITHHELD:
        return Outcome.LOST
    return _OUTCOMES.get(order.at)


def _last_words(order: Order, stripe: int, evidence: bytes) -> Asking | None:
    """What the aggregator is to know of the end."""
    match order.at:
        case At.CHEATED | At.WITHHELD:
            return Dispute(order.reason or Reason.PROOF, order.why, stripe, evidence)
        case At.CANCELLED | At.FAILED | At.LATE | At.REFUSED:
            return Cancel()
    return None
