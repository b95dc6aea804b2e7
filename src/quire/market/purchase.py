"""A purchase: one storage request of this node, from before its payment until its money is back.

    pending ─► submitted ─► started ─► finished
       │           ├─────► cancelled      │         finished, cancelled, failed: what is left of the
       │           └───────────┴─► failed ┴─► ...   money is withdrawn; failed becomes errored then
       └─► errored                   unknown: found on the chain and not in the journal

The chain decides: whatever happens, its state of the request is read again and the purchase goes
to where that leads, from any state. The request, its nonce and so its id are in the journal before
it is sent, and the contract takes an id only once: nothing is paid twice.

Source   market.md 4.2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

import msgspec

from quire.base.errors import BadEncoding
from quire.base.machine import Deadline, Failed, TimedOut
from quire.base.units import format_time
from quire.chain.values import ID_BYTES, RequestId, RequestState, StorageRequest

PENDING_SECONDS = 3600.0  # to get a request into a block; afterwards it is looked for only
TAKEN_BACK_SECONDS = 3600  # a request that is older is not lost to a re-organisation
LOOK_SECONDS = 600.0  # between two attempts to learn something from the chain or to withdraw


class At(StrEnum):
    PENDING = "pending"
    SUBMITTED = "submitted"
    STARTED = "started"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ERRORED = "errored"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Purchase:
    """`request` is None until it was read from the chain; `expires_at` and `ends_at` are unix
    seconds of the chain, 0 while it has not told them. The withdrawal is done: `is_withdrawn`."""

    request_id: RequestId
    at: At
    request: StorageRequest | None = None
    expires_at: int = 0
    ends_at: int = 0
    is_withdrawn: bool = False
    error: str = ""


# ---- events ----


@dataclass(frozen=True, slots=True)
class Changed:
    """Something happened to the request on the chain, or its time has come."""


@dataclass(frozen=True, slots=True)
class Rewound:
    """Blocks are not part of the chain any more, perhaps one with a withdrawal."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the chain says of the request."""

    state: RequestState
    expires_at: int
    ends_at: int
    request: StorageRequest


@dataclass(frozen=True, slots=True)
class NotThere:
    """The contract does not know the request (any more). `chain_time` in unix seconds."""

    chain_time: int


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What was left of the money is with the client, now or since earlier."""


Event: TypeAlias = Changed | Rewound | Seen | NotThere | Withdrawn


# ---- effects; each looks first whether it is done ----


@dataclass(frozen=True, slots=True)
class Submit:
    """Keep the dataset and get the request into a block. Leads to Seen."""


@dataclass(frozen=True, slots=True)
class Look:
    """Read the state of the request. Leads to Seen or NotThere."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take back what is left. Leads to Withdrawn."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep the dataset for this request, if it is here. Leads to nothing."""


@dataclass(frozen=True, slots=True)
class Release:
    """Nothing of the dataset has to be kept for this request any more. Leads to nothing."""


Effect: TypeAlias = Submit | Look | Withdraw | Keep | Release

_BY_CHAIN = {
    RequestState.NEW: At.SUBMITTED,
    RequestState.STARTED: At.STARTED,
    RequestState.CANCELLED: At.CANCELLED,
    RequestState.FINISHED: At.FINISHED,
    RequestState.FAILED: At.FAILED,
}
_LAST = (At.CANCELLED, At.FINISHED, At.FAILED)  # there is money to withdraw
NOT_KNOWN = "the contract does not know it; is this the chain on which it was made?"
PURCHASE_FAILED = "Purchase failed"  # in the words of the reference


class PurchaseMachine:
    """Implements `Machine`."""

    kind = "purchase"

    def step(
        self, state: Purchase, event: Event | TimedOut | Failed
    ) -> tuple[Purchase, Sequence[Effect]]:
        match event:
            case Seen():
                return _seen(state, event)
            case NotThere():
                return _not_there(state, event.chain_time)
            case Withdrawn() if state.at in _LAST and not state.is_withdrawn:
                return _withdrawn(state)
            case Rewound() if state.is_withdrawn:
                # Withdrawing what was withdrawn does no harm; not withdrawing does.
                at = At.FAILED if state.at is At.ERRORED else state.at
                return replace(state, at=at, is_withdrawn=False, error=""), [Withdraw()]
            case Changed() | Rewound() if not state.is_withdrawn and state.at is not At.PENDING:
                return state, [Look()]
            case TimedOut():
                return _timed_out(state)
            case Failed():
                return _failed(state, event)
        return state, []

    def resume(self, state: Purchase) -> Sequence[Effect]:
        match state.at:
            case At.PENDING:
                return [Submit()]
            case At.SUBMITTED | At.STARTED | At.UNKNOWN:
                return [Look()]
            case At.FINISHED | At.CANCELLED | At.FAILED if not state.is_withdrawn:
                return [Withdraw()]
        return [Release()]

    def name(self, state: Purchase) -> str:
        return state.at.value

    def words(self, state: Purchase) -> str:
        """What is going on, with the next date of the chain."""
        back = "what is left of the money is back"
        if state.is_withdrawn:
            return {
                At.FINISHED: f"the contract came to its end; {back}",
                At.CANCELLED: f"not every slot was filled in time; {back}",
            }.get(state.at, f"too many slots were lost; the contract failed, {back}")
        match state.at:
            case At.PENDING:
                return "the request is being written to the chain, with its payment"
            case At.SUBMITTED:
                return f"hosts can fill the slots, until {format_time(state.expires_at)}"
            case At.STARTED:
                return (
                    "every slot is filled and has proved itself: this node may leave; the "
                    f"contract runs until {format_time(state.ends_at)}"
                )
            case At.FINISHED:
                return f"the contract came to its end; what is left of the money {_taken(state)}"
            case At.CANCELLED:
                return f"not every slot was filled in time; the money {_taken(state)}"
            case At.FAILED:
                return f"too many slots were lost; the whole price {_taken(state)}"
            case At.ERRORED:
                return f"the request is not on the chain: {state.error}"
        return "found on the chain; its state is being read"

    def deadline(self, state: Purchase) -> Deadline | None:
        if self.has_ended(state):
            return None
        match state.at:
            case At.PENDING:
                return Deadline("the request comes into a block", after_seconds=PENDING_SECONDS)
            case At.SUBMITTED:
                return Deadline("hosts fill every slot", chain_time=state.expires_at + 1)
            case At.STARTED:
                return Deadline("the contract runs to its end", chain_time=state.ends_at + 1)
            case At.UNKNOWN:
                return Deadline("the chain tells the state", after_seconds=LOOK_SECONDS)
        return Deadline("what is left of the money comes back", after_seconds=LOOK_SECONDS)

    def has_ended(self, state: Purchase) -> bool:
        return state.is_withdrawn or state.at is At.ERRORED

    def encode(self, state: Purchase) -> bytes:
        return msgspec.json.encode(state)

    def decode(self, data: bytes) -> Purchase:
        try:
            purchase = msgspec.json.decode(data, type=Purchase)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadEncoding(f"this is no purchase: {error}") from error
        if len(purchase.request_id) != ID_BYTES:
            raise BadEncoding(f"a request id has {ID_BYTES} bytes, not {len(purchase.request_id)}")
        if purchase.at is At.PENDING and purchase.request is None:
            raise BadEncoding("a purchase that is pending has no request")
        return purchase


def _taken(state: Purchase) -> str:
    return f"is still to be taken back: {state.error}" if state.error else "is taken back"


def _seen(state: Purchase, seen: Seen) -> tuple[Purchase, Sequence[Effect]]:
    """Go to where the chain says that the request is."""
    at = _BY_CHAIN[seen.state]
    if state.is_withdrawn:
        return state, []
    known = replace(
        state,
        at=at,
        request=state.request or seen.request,
        expires_at=seen.expires_at,
        ends_at=seen.ends_at,
        error=state.error if at is state.at else "",
    )
    if at in _LAST:
        return known, [Withdraw()]
    return known, [Keep()] if state.at in (At.UNKNOWN, At.ERRORED) else []


def _not_there(state: Purchase, chain_time: int) -> tuple[Purchase, Sequence[Effect]]:
    if state.at in (At.ERRORED, At.PENDING) or state.is_withdrawn:
        return state, []
    if state.at in (At.SUBMITTED, At.STARTED) and state.request is not None:
        age = chain_time - (state.expires_at - state.request.expiry)
        if abs(age) <= TAKEN_BACK_SECONDS:
            # A re-organisation took its block away, and with it the payment: it is sent again.
            return replace(state, at=At.PENDING, expires_at=0, ends_at=0), [Submit()]
    return replace(state, at=At.ERRORED, error=NOT_KNOWN), [Release()]


def _withdrawn(state: Purchase) -> tuple[Purchase, Sequence[Effect]]:
    if state.at is At.FAILED:
        state = replace(state, at=At.ERRORED, error=PURCHASE_FAILED)
    else:
        state = replace(state, error="")
    return replace(state, is_withdrawn=True), [Release()]


def _timed_out(state: Purchase) -> tuple[Purchase, Sequence[Effect]]:
    if state.is_withdrawn or state.at is At.ERRORED:
        return state, []
    if state.at is At.PENDING:
        error = f"it came into no block within {PENDING_SECONDS:.0f} s"
        return replace(state, at=At.ERRORED, error=error), [Release()]
    return state, [Withdraw()] if state.at in _LAST else [Look()]


def _failed(state: Purchase, failed: Failed) -> tuple[Purchase, Sequence[Effect]]:
    """An effect met what trying again does not help against."""
    match failed.effect:
        case Submit() if state.at is At.PENDING:
            return replace(state, at=At.ERRORED, error=failed.error.message), [Release()]
        case Withdraw() if state.at in _LAST and not state.is_withdrawn:
            # At the next block, or after LOOK_SECONDS, again.
            return replace(state, error=failed.error.message), []
    return state, []
