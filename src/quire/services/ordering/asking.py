"""Asking an aggregator until it has taken an order, until the result is there, or until it says no.

Requests carry the order's job id, so that every one may be repeated.
Source   market.md 6.4
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from quire.aggregation.order import Declined, Order, Ready, Taken
from quire.base.clock import Clock
from quire.base.errors import PeerBusy, PeerError, PeerLied
from quire.chain.port import ChainClock
from quire.formats.aggregator import AggregatorAnswer, AggregatorRequest
from quire.formats.aggregator_answers import (
    EncodedAnswer,
    Progress,
    PromiseAnswer,
    ProofAnswer,
    SubmittedAnswer,
)
from quire.formats.aggregator_asking import Asking, StatusRequest
from quire.formats.aggregator_codes import Code, Service, Stage
from quire.services.ordering.ports import AskAggregator

ANSWER_SECONDS = 10.0
PAUSE_SECONDS_FIRST, PAUSE_SECONDS_MAX = 0.1, 2.0
TAKE_SECONDS = 60.0  # in which an aggregator that is silent or busy has to take an order

PASSING = (Code.BUSY, Code.INTERNAL, Code.NOT_FUNDED)  # its chain may be a block behind
_ENDED = {
    Stage.FAILED: "says that it could not do it",
    Stage.CANCELLED: "says that it was cancelled",
    Stage.UNPAID: "says that it was not paid in time",
    Stage.DISPUTED: "says that it was disputed",
}

Heard: TypeAlias = Taken | Ready | Declined
Told: TypeAlias = Callable[[Order, Progress], None]


class AskingOrders:
    """`told` hears how far an order is."""

    def __init__(self, client: AskAggregator, clock: Clock, chain: ChainClock, told: Told) -> None:
        self._client = client
        self._clock = clock
        self._chain = chain
        self._told = told

    async def ask(
        self, order: Order, body: Asking, seconds: float = ANSWER_SECONDS
    ) -> AggregatorAnswer:
        """Once. Raises PeerError."""
        return await self._client.ask(
            order.peer,
            AggregatorRequest(order.job_id, body),
            self._clock.monotonic() + seconds,
            order.addresses,
        )

    async def until_taken(self, order: Order, body: Asking) -> Heard:
        """Send the accept until something is said to it."""
        seconds = ANSWER_SECONDS
        if order.offer.offer.service is Service.PROVE:
            # Answered with the proof, when it is made.
            seconds = max(seconds, order.deadline - self._chain.now())
        gives_up_at = self._clock.monotonic() + TAKE_SECONDS
        return await self._until_heard(order, body, seconds, gives_up_at)

    async def until_ready(self, order: Order) -> Heard:
        """Ask for the result. Silence is borne: the order has its own deadline."""
        return await self._until_heard(order, StatusRequest(), ANSWER_SECONDS, None)

    async def _until_heard(
        self, order: Order, body: Asking, seconds: float, gives_up_at: float | None
    ) -> Heard:
        pause = PAUSE_SECONDS_FIRST
        while True:
            wait = pause
            try:
                answer = await self.ask(order, body, seconds)
            except PeerLied as error:
                return Declined(error.message)
            except PeerError as error:
                if not error.retry:
                    return Declined(error.message)
                trouble = error.message
                if isinstance(error, PeerBusy):
                    wait = max(wait, float(str(error.facts.get("retry_after_seconds", 0))))
            else:
                heard = self._heard(order, answer, is_taken=gives_up_at is None)
                if heard is not None:
                    return heard
                trouble = answer.text or answer.code.name
                wait = max(wait, answer.retry_after_ms / 1000)
            if gives_up_at is not None and self._clock.monotonic() + wait >= gives_up_at:
                return Declined(f"{order.peer} did not take it in {TAKE_SECONDS:.0f} s: {trouble}")
            await asyncio.sleep(wait)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)

    def _heard(self, order: Order, answer: AggregatorAnswer, *, is_taken: bool) -> Heard | None:
        """What an answer means; None: ask again."""
        if answer.code in PASSING:
            return None
        if answer.code is not Code.OK:
            said = answer.text or answer.code.name
            return Declined(f"{order.peer} says: {said}", is_stale=answer.code is Code.PRICE)
        match answer.body:
            case EncodedAnswer(receipt, signature):
                return Ready(receipt, signature)
            case ProofAnswer(proof):
                return Ready(proof)
            case SubmittedAnswer(transaction):
                return Ready(transaction)
            case PromiseAnswer(_, signature):
                return None if is_taken else Taken(signature)
            case Progress(stage, _, words) as progress:
                if stage in _ENDED:
                    return Declined(f"{order.peer} {_ENDED[stage]}: {words or answer.text}")
                self._told(order, progress)
                return None if is_taken else Taken()
        return Declined(f"{order.peer} gave an answer that says nothing about the order")
