"""The machine of an order at the customer.

    funding ─► asking ─► waiting ─► checking ─► paying ─► serving ─► settling ─► settled
       │          │         │          │          `── no last part ────────────► settled
    failed     refused     late     cheated                  withheld

    a promise to submit that was not kept ─► claiming ─► made good
                                                ├── nothing is owed ─► late, refused, cheated
                                                `── it was kept after all ─► checking

Nothing is paid before `checking` has said that the result is good, and every part once: its bill is
named by job and part. Source   market.md 6.4, 6.5
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from quire.aggregation.order import (
    ENDS,
    Ask,
    At,
    Await,
    Cancel,
    Check,
    Claim,
    Claimed,
    Declined,
    Fund,
    Funded,
    Good,
    NotOwed,
    Order,
    OrderEffect,
    OrderEvent,
    Paid,
    Pay,
    Ready,
    Served,
    Taken,
    Tell,
    Told,
    Watch,
    Wrong,
)
from quire.aggregation.order_record import decode_order, encode_order
from quire.base.errors import QuireError
from quire.base.machine import Deadline, Failed, TimedOut
from quire.chain.bonds import CLAIM_SECONDS
from quire.formats.aggregator_codes import Reason

CHECK_SECONDS = 3600.0  # of work on this side, while the node runs
PAY_SECONDS = 3600.0
TELL_SECONDS = 600.0

Step: TypeAlias = tuple[Order, Sequence[OrderEffect]]

_WORK: dict[At, OrderEffect] = {
    At.FUNDING: Fund(),
    At.ASKING: Ask(),
    At.WAITING: Await(),
    At.CHECKING: Check(),
    At.PAYING: Pay(0),
    At.SERVING: Watch(),
    At.SETTLING: Pay(1),
    At.CLAIMING: Claim(),
}
_WORDS = {
    At.FUNDING: "the payment channel gets room for the price",
    At.ASKING: "asking the aggregator to take it",
    At.WAITING: "the aggregator works on it",
    At.CHECKING: "the result is checked",
    At.PAYING: "the result is good; it is paid",
    At.SERVING: "hosts take the blocks from the aggregator",
    At.SETTLING: "hosts have the blocks; the rest is paid",
    At.CLAIMING: "the aggregator broke its promise; its bond has to pay for what that cost",
    At.SETTLED: "done and paid",
    At.MADE_GOOD: "the aggregator broke its promise, and its bond paid for it",
    At.REFUSED: "the aggregator does not do it",
    At.LATE: "the aggregator was late; nothing was paid",
    At.CHEATED: "the result was wrong; nothing was paid",
    At.WITHHELD: "the aggregator does not serve what it coded; the rest was not paid",
    At.CANCELLED: "it was not wanted any more",
    At.FAILED: "it failed on this side",
}
_ON_TIME_OUT = {
    At.FUNDING: (At.FAILED, "the payment channel got no room for the price in time"),
    At.ASKING: (At.LATE, "the aggregator did not take it in time"),
    At.WAITING: (At.LATE, "the aggregator did not deliver in time"),
    At.CHECKING: (At.FAILED, "the result could not be checked in time"),
    At.PAYING: (At.FAILED, "the voucher could not be handed over in time"),
    At.SERVING: (At.WITHHELD, "hosts did not get the blocks in time"),
    At.SETTLING: (At.FAILED, "the last voucher could not be handed over in time"),
}
_BREAKS = (At.LATE, At.REFUSED, At.CHEATED, At.FAILED)  # ends before which a promise counts
_CANCELLABLE = (At.FUNDING, At.ASKING, At.WAITING, At.CHECKING)


class OrderMachine:
    """Implements `base.machine.Machine`."""

    kind = "order"

    def step(self, state: Order, event: OrderEvent | TimedOut | Failed) -> Step:
        if state.at in ENDS:
            if isinstance(event, Told | TimedOut | Failed) and not state.is_told:
                return replace(state, is_told=True), ()
            return state, ()
        if state.at is At.CLAIMING:
            return _claimed(state, event)
        match event:
            case TimedOut():
                return _end(state, *_ON_TIME_OUT[state.at])
            case Failed(error=error):
                return _end(state, At.FAILED, error.message)
            case Cancel() if state.at in _CANCELLABLE:
                return _end(state, At.CANCELLED, "")
        return _forward(state, event)

    def resume(self, state: Order) -> Sequence[OrderEffect]:
        if state.at in ENDS:
            return () if state.is_told else (Tell(),)
        return (_WORK[state.at],)

    def name(self, state: Order) -> str:
        return state.at.value

    def words(self, state: Order) -> str:
        if state.why:
            return state.why
        if state.at in (At.PAYING, At.SETTLED) and state.checked:
            return f"{_WORDS[state.at]} ({state.checked})"
        return _WORDS[state.at]

    def deadline(self, state: Order) -> Deadline | None:
        if self.has_ended(state):
            return None
        reason = self.words(state)
        if state.at in ENDS:
            return Deadline(reason, after_seconds=TELL_SECONDS)
        match state.at:
            case At.CHECKING:
                return Deadline(reason, after_seconds=CHECK_SECONDS, while_running=True)
            case At.PAYING | At.SETTLING:
                return Deadline(reason, after_seconds=PAY_SECONDS, while_running=True)
            case At.SERVING:
                return Deadline(reason, chain_time=float(state.serve_until))
            case At.CLAIMING:
                return Deadline(reason, chain_time=float(state.deadline + CLAIM_SECONDS))
        return Deadline(reason, chain_time=float(state.deadline))

    def has_ended(self, state: Order) -> bool:
        return state.at in ENDS and state.is_told

    def encode(self, state: Order) -> bytes:
        return encode_order(state)

    def decode(self, data: bytes) -> Order:
        return decode_order(data)


def _forward(state: Order, event: OrderEvent) -> Step:
    """The way to the result, its check and its payment."""
    match state.at, event:
        case At.FUNDING, Funded():
            return _go(state, At.ASKING)
        case ((At.ASKING | At.WAITING), Declined(why, is_stale)):
            ended, effects = _end(state, At.LATE if state.is_promised else At.REFUSED, why)
            return replace(ended, is_stale=is_stale and ended.at is At.REFUSED), effects
        case At.ASKING, Taken(signature):
            return _go(replace(state, signature=signature), At.WAITING)
        case ((At.ASKING | At.WAITING), Ready(result, signature)):
            found = replace(state, result=result, signature=signature or state.signature)
            return _go(found, At.CHECKING)
        case At.CHECKING, Good(checked):
            return _go(replace(state, checked=checked), At.PAYING)
        case ((At.ASKING | At.CHECKING), Wrong(reason, why, stripe, evidence)):
            ended, effects = _end(replace(state, reason=reason), At.CHEATED, why)
            is_over = ended.at in ENDS
            return ended, (Tell(stripe, evidence),) if is_over else effects
        case At.PAYING, Paid(0, now):
            paid = replace(state, paid=1)
            if state.offer.offer.price_last == 0:
                return _end(paid, At.SETTLED, "")
            return _go(replace(paid, serve_until=now + state.serve_seconds), At.SERVING)
        case At.SERVING, Served():
            return _go(state, At.SETTLING)
        case At.SERVING, Wrong(reason, why):
            return _end(replace(state, reason=reason), At.WITHHELD, why)
        case At.SETTLING, Paid(1, _):
            return _end(replace(state, paid=2), At.SETTLED, "")
    return state, ()


def _go(state: Order, at: At) -> Step:
    return replace(state, at=at), (_WORK[at],)


def _claimed(state: Order, event: OrderEvent | TimedOut | Failed) -> Step:
    """What came of a claim. The end that was due before keeps its reason."""
    assert state.ending is not None
    match event:
        case Claimed(amount):
            said = f"{state.why or state.ending.value}; {amount} tokens of its bond were claimed"
            return replace(state, at=At.MADE_GOOD, why=said), (Tell(),)
        case Ready(result):  # it was kept, and this node was not there to hear of it
            kept = replace(state, result=result, ending=None, why="", reason=None)
            return _go(kept, At.CHECKING)
        case NotOwed(why) | Failed(error=QuireError(message=why)):
            said = f"{state.why or state.ending.value}; nothing was claimed: {why}"
            return replace(state, at=state.ending, why=said), (Tell(),)
        case TimedOut():
            return replace(state, at=state.ending), (Tell(),)
    return state, ()


def _end(state: Order, at: At, why: str) -> Step:
    reason = state.reason
    if at is At.LATE:
        reason = Reason.LATE
    elif at is At.WITHHELD:
        reason = Reason.WITHHELD
    if state.is_promised and at in _BREAKS and not state.checked:
        claiming = replace(state, at=At.CLAIMING, ending=at, why=why, reason=reason)
        return claiming, (Claim(),)
    return replace(state, at=at, why=why, reason=reason), (Tell(),)
