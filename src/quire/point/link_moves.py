"""Moves that every part of the link machine makes: enter a state, try again later, end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TypeAlias

from quire.base.errors import BadOffer, PeerError, PeerLied, QuireError
from quire.point.billing import cost, due_bill, first_term
from quire.point.choice_port import Outcome
from quire.point.link import (
    ENDS,
    HELD,
    At,
    LinkState,
    Upkeep,
)
from quire.point.link_effects import (
    AskOffer,
    AskRenewal,
    AskSignature,
    Audit,
    Close,
    Fund,
    LeaveSlot,
    LinkEffect,
    Look,
    Pay,
    PeerEffect,
    Reserve,
    Seal,
    SendData,
    SendMap,
    TakeSlot,
)
from quire.point.values import LinkId, SignedOffer

BACKOFF_SECONDS_MAX = 60.0
BACKOFF_JITTER = 0.25

Step: TypeAlias = tuple[LinkState, Sequence[LinkEffect]]


def enter(state: LinkState, at: At, why: str = "") -> Step:
    """Go to a state that is no end, with its work."""
    state = replace(state, at=at, why=why, attempts=0, is_paused=False)
    return state, work(state)


def end(state: LinkState, at: At, why: str, outcome: Outcome | None = None) -> Step:
    state = replace(state, at=at, why=why, outcome=outcome, upkeep=Upkeep.IDLE, renewal=None)
    return state, (Close(),)


def fail(state: LinkState, why: str, outcome: Outcome | None = None) -> Step:
    return end(state, At.FAILED, why, outcome)


def work(state: LinkState) -> Sequence[LinkEffect]:
    """What is done in a state, anew after a restart."""
    if state.at in ENDS:
        return () if state.is_closed else (Close(),)
    if state.at in HELD:
        return (*upkeep_work(state), *renewal_work(state))
    pause = backoff(state.order.link_id, state.attempts)
    match state.at:
        case At.CREATED:
            return (AskOffer(pause) if state.is_offer_stale else Reserve(pause),)
        case At.AGREED:
            return (Look(),)
        case At.ESTABLISH_PAYMENT_CHANNEL:
            # The provider may count what other links owe it already.
            times = 1 + state.setbacks if state.back is At.SENDING_SEGMENT_MAP else 1
            return (Fund(times * first_amount(state)),)
        case At.ENCRYPTING:
            return (Seal(),)
        case At.ENCRYPTED:
            return (TakeSlot(),)
        case At.SENDING_SEGMENT_MAP:
            return (SendMap(pause),)
        case At.SENDING_DATA:
            return (SendData(pause),)
        case At.DATA_RECEIVED:
            return (Audit(pause),) if state.must_audit else (LeaveSlot(),)
        case At.ASKING_FOR_SIGNATURE:
            return (AskSignature(pause),)
    return (Pay(0, first_amount(state), pause),)


def upkeep_work(state: LinkState) -> Sequence[LinkEffect]:
    """What goes on beside, in a link that is held."""
    pause = backoff(state.order.link_id, state.attempts)
    if state.upkeep is Upkeep.AUDITING:
        return (Audit(pause),)
    bill = due_bill(state.terms, state.look_at)
    if bill is None:
        return ()
    if state.upkeep is Upkeep.PAYING:
        return (Pay(bill.number, bill.amount, pause),)
    return (Fund(bill.amount),) if state.upkeep is Upkeep.FUNDING else ()


def renewal_work(state: LinkState) -> Sequence[LinkEffect]:
    renewal = state.renewal
    if renewal is None or renewal.is_refused or renewal.is_signed:
        return ()
    pause = backoff(state.order.link_id, renewal.attempts)
    return (AskOffer(pause) if renewal.offer is None else AskRenewal(pause),)


def postponed(effects: Sequence[LinkEffect], seconds: float) -> Sequence[LinkEffect]:
    """What is asked of the peer, asked later: it is busy."""
    pause = max(1.0, seconds)
    return tuple(replace(each, pause=pause) for each in effects if isinstance(each, PeerEffect))


def first_amount(state: LinkState) -> int:
    """Of bill 0: by the receipt, or what it will be."""
    if state.terms:
        return state.terms[0].bill(0).amount
    order = state.order
    term = first_term(state.offer.offer, order.sealed_bytes, order.begins_at, order.expires_at)
    return term.bill(0).amount


def is_too_dear(
    state: LinkState, offer: SignedOffer, seconds: int, *, is_renewal: bool = False
) -> bool:
    """Whether a term of `seconds` costs more than the budget allows for one of the usual length."""
    order = state.order
    if order.budget is None:
        return False
    price = cost(offer.offer, order.sealed_bytes, seconds, is_renewal=is_renewal)
    return price * order.seconds > order.budget * max(seconds, order.seconds)


def backoff(link_id: LinkId, attempts: int) -> float:
    """Seconds before the next attempt: 1, 2, 4, ... 60, a quarter more or less; 0 for the first."""
    if attempts == 0:
        return 0.0
    drawn = sha256(link_id + attempts.to_bytes(4, "big")).digest()[0] / 255
    seconds = min(BACKOFF_SECONDS_MAX, 2.0 ** min(attempts - 1, 30))
    return seconds * (1 - BACKOFF_JITTER + 2 * BACKOFF_JITTER * drawn)


def outcome_of(error: QuireError) -> Outcome | None:
    """What an error says of the provider; None: nothing, the trouble is ours."""
    match error:
        case BadOffer():
            return Outcome.REFUSED
        case PeerLied():
            return Outcome.BAD_DATA
        case PeerError():
            return Outcome.SILENT
    return None
