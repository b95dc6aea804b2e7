"""The steps of a sale. Events of the chain only say that something changed; what is true is read
again (`Look` -> `Seen`), so that nothing is missed and nothing counts twice.

Money first: from the moment our collateral is in the contract no failure ends a sale; it waits and
tries again until the chain says that the slot is paid, or lost.

Source   market.md 4.3. Differences from the reference: docs/adr/0028
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from quire.base.errors import QuireError, Refused
from quire.base.machine import Deadline, Failed, TimedOut
from quire.chain.values import RequestState, SlotState
from quire.market.sale import (
    BEFORE_FILL,
    CLOSING,
    ENDS,
    HELD,
    Alarm,
    At,
    Changed,
    Cleaned,
    CleanUp,
    Download,
    Downloaded,
    Fill,
    Filled,
    GivenUp,
    Keep,
    Kept,
    Later,
    Look,
    Prepare,
    Prepared,
    Prove,
    Proved,
    Reserve,
    Reserved,
    Sale,
    SaleEffect,
    SaleEvent,
    Seen,
    Stale,
    TakeBack,
    TakenBack,
    Unreserved,
    Watch,
)
from quire.market.sale_record import decode_sale, encode_sale

ATTEMPTS_MAX = 5  # of filling
RETRY_SECONDS = 60.0  # of what must succeed in the end
PREPARE_SECONDS = 600.0

Step: TypeAlias = tuple[Sale, Sequence[SaleEffect]]

_WORDS = {
    At.UNKNOWN: "reading from the chain how the slot stands",
    At.PREPARING: "looking whether the slot is for sale and there is room for it",
    At.SLOT_RESERVING: "reserving the slot in the contract",
    At.DOWNLOADING: "getting the slot's data",
    At.INITIAL_PROVING: "waiting for the next period, then making the first proof",
    At.FILLING: "putting collateral and first proof into the contract",
    At.FILLED: "the slot is ours; seeing that its data is held until the end",
    At.PROVING: "the slot is held and proved until its end",
    At.PAYOUT: "taking payout and collateral",
    At.FINISHED: "the contract ended; payout and collateral are here",
    At.CANCELLED: "the request was cancelled; what the contract owes is taken back",
    At.FAILED: "the request failed; what the contract owes is taken back",
    At.ERRORED: "it ended in an error",
    At.IGNORED: "the slot is not taken",
}


class SaleMachine:
    """Implements `base.machine.Machine`."""

    kind = "sale"

    def step(self, state: Sale, event: SaleEvent | TimedOut | Failed) -> Step:
        if state.has_ended:
            return state, ()
        match event:
            case TimedOut():
                return _timed_out(state)
            case Failed():
                return _failed(state, event.error)
            case Changed():
                return state, (() if state.at in CLOSING else (Look(event.is_rewound),))
            case Seen():
                return (state, ()) if state.at in CLOSING else _seen(_noted(state, event), event)
            case Alarm():
                return _alarmed(state, event)
        return _went_on(state, event)

    def resume(self, state: Sale) -> Sequence[SaleEffect]:
        if state.at in (At.UNKNOWN, At.PREPARING, *CLOSING):
            return _work(state)
        return (Look(), *_work(state))

    def name(self, state: Sale) -> str:
        return state.at.value

    def words(self, state: Sale) -> str:
        why = state.why or _WORDS[state.at]
        return f"{why} (cleaning up)" if state.at in ENDS and not state.is_clean else why

    def deadline(self, state: Sale) -> Deadline | None:
        if state.has_ended:
            return None
        reason = self.words(state)
        if state.at in (*HELD, *CLOSING, At.UNKNOWN) and state.at is not At.PROVING:
            return Deadline(reason, after_seconds=RETRY_SECONDS)
        if state.deal is None:
            if state.look_at:
                return Deadline(reason, chain_time=state.look_at)
            return Deadline(reason, after_seconds=PREPARE_SECONDS)
        if state.at is At.FILLING:
            return Deadline(reason, chain_time=state.proof_until)
        # The state of a request changes at the first block after the second.
        return Deadline(reason, chain_time=max(state.deal.fill_by + 1, state.look_at))

    def has_ended(self, state: Sale) -> bool:
        return state.has_ended

    def encode(self, state: Sale) -> bytes:
        return encode_sale(state)

    def decode(self, data: bytes) -> Sale:
        return decode_sale(data)


def _to(sale: Sale, at: At, why: str = "") -> Step:
    """Enter a state, with its work."""
    sale = replace(sale, at=at, why=why, look_at=0)
    return sale, _work(sale)


def _work(sale: Sale) -> Sequence[SaleEffect]:
    """What is done in a state."""
    match sale.at:
        case At.UNKNOWN:
            return (Look(),)
        case At.CANCELLED | At.FAILED if not sale.is_settled:
            return (TakeBack(),)
        case at if at in CLOSING:
            return () if sale.is_clean else (CleanUp(),)
    return (_WORK[sale.at],)


_WORK: dict[At, SaleEffect] = {
    At.PREPARING: Prepare(),
    At.SLOT_RESERVING: Reserve(is_resumed=True),
    At.DOWNLOADING: Download(),
    At.INITIAL_PROVING: Prove(),
    At.FILLING: Fill(),
    At.FILLED: Keep(),
    At.PROVING: Watch(),
    At.PAYOUT: TakeBack(),
}


def _ignored(sale: Sale, why: str, is_again: bool, at: int = 0) -> Step:
    sale = replace(sale, at=At.IGNORED, why=why, is_again=is_again, look_at=at)
    return sale, (CleanUp(),)


def _errored(sale: Sale, why: str) -> Step:
    return _to(sale, At.ERRORED, why)


def _filled(sale: Sale, at: int) -> Step:
    return _to(replace(sale, is_staked=True, filled_at=sale.filled_at or at), At.FILLED)


def _prove_again(sale: Sale, why: str, counts: bool) -> Step:
    """The first proof is to be made anew."""
    attempts = sale.attempts + counts
    if attempts > ATTEMPTS_MAX:
        return _ignored(sale, f"{why}; it was tried {attempts} times", is_again=False)
    return _to(replace(sale, attempts=attempts, proof=b"", proof_until=0), At.INITIAL_PROVING, why)


def _alarmed(sale: Sale, alarm: Alarm) -> Step:
    """A proof is at risk; what can be helped from here is that the data is whole."""
    if sale.at is not At.PROVING:
        return sale, ()
    return replace(sale, why=alarm.why), (Keep(),)


# ---- deadlines and failures ----


def _timed_out(sale: Sale) -> Step:
    match sale.at:
        case At.PREPARING if sale.deal is None and sale.look_at:
            return replace(sale, look_at=0, why=""), (Prepare(),)
        case At.PREPARING if sale.deal is None:
            return _ignored(sale, "the chain did not tell about the slot in time", is_again=True)
        case At.FILLING:
            sale, effects = _prove_again(sale, "the proof was not in a block in time", counts=True)
            return sale, (Look(), *effects)
        case At.FILLED | At.PAYOUT:
            return sale, (Look(), *_work(sale))
        case at if at in (*CLOSING, At.UNKNOWN):
            return sale, _work(sale)
    return sale, (Look(),)


def _failed(sale: Sale, error: QuireError) -> Step:
    """What failed cannot be helped by trying again at once."""
    if sale.at in BEFORE_FILL:
        if isinstance(error, Refused):  # too few tokens, no room: it may be otherwise later
            return _ignored(sale, error.message, is_again=True)
        return _errored(sale, error.message)
    at = At.FILLED if sale.at is At.PROVING else sale.at
    return replace(sale, at=at, why=f"{error.message}; it is tried again"), ()


# ---- what the chain says ----


def _noted(sale: Sale, seen: Seen) -> Sale:
    if seen.filled_at:
        sale = replace(sale, filled_at=seen.filled_at)
    if sale.deal is None:
        return sale
    deal = replace(sale.deal, end=seen.end, is_started=seen.request_state == RequestState.STARTED)
    if deal.is_started == sale.deal.is_started and deal.end == sale.deal.end:
        deal = sale.deal
    look_at = seen.now + 1 if seen.now > deal.fill_by else sale.look_at
    return replace(sale, deal=deal, look_at=look_at)


def _seen(sale: Sale, seen: Seen) -> Step:
    match seen.request_state:
        case RequestState.FAILED:
            return _to(sale, At.FAILED)
        case RequestState.CANCELLED:
            return _to(sale, At.CANCELLED)
    if sale.at in BEFORE_FILL:
        return _seen_before_fill(sale, seen)
    return _seen_since_fill(sale, seen)


def _seen_before_fill(sale: Sale, seen: Seen) -> Step:
    if seen.is_filled_by_us and sale.deal is not None:
        return _filled(sale, seen.now)
    if seen.slot_state == SlotState.FILLED:
        return _ignored(sale, "another host filled the slot first", is_again=False)
    if seen.request_state == RequestState.FINISHED:
        return _ignored(sale, "the contract ended before the slot was filled", is_again=False)
    return sale, ()


def _seen_since_fill(sale: Sale, seen: Seen) -> Step:
    match seen.slot_state:
        case SlotState.FILLED if seen.is_ours:
            return (sale, ()) if sale.at in (At.FILLED, At.PROVING) else _to(sale, At.FILLED)
        case SlotState.FINISHED | SlotState.PAID:
            return (sale, ()) if sale.at is At.PAYOUT else _to(sale, At.PAYOUT)
        case SlotState.FILLED:
            return _errored(sale, "another host holds the slot: ours was taken from us")
    if sale.at is not At.UNKNOWN and (seen.slot_state == SlotState.FREE or seen.is_rewound):
        why = "the chain was rewound past the filling of the slot; it is filled again"
        return _prove_again(replace(sale, is_staked=False, filled_at=0), why, counts=False)
    return _errored(sale, "the slot was taken from us, with the collateral: proofs were missed")


# ---- what was done ----


def _went_on(sale: Sale, event: SaleEvent) -> Step:
    match sale.at, event:
        case At.PREPARING, Prepared():
            return _reserve(replace(sale, deal=event.deal, offer=event.offer))
        case ((At.PREPARING | At.SLOT_RESERVING), Later()):
            waiting = replace(sale, at=At.PREPARING, deal=None, offer=b"")
            return replace(waiting, look_at=event.at, why=event.why), ()
        case at, GivenUp() if at in BEFORE_FILL:
            return _ignored(sale, event.why, event.is_again, event.at)
        case At.SLOT_RESERVING, Reserved():
            return _to(sale, At.DOWNLOADING)
        case At.DOWNLOADING, Downloaded():
            return _to(sale, At.INITIAL_PROVING)
        case At.INITIAL_PROVING, Proved():
            return _to(replace(sale, proof=event.proof, proof_until=event.until), At.FILLING)
        case At.FILLING, Stale():
            return _prove_again(sale, event.why, event.counts)
        case At.FILLING, Unreserved():
            if sale.attempts >= ATTEMPTS_MAX:
                return _ignored(sale, "the reservation was lost again and again", is_again=False)
            return _reserve(replace(sale, attempts=sale.attempts + 1, proof=b"", proof_until=0))
        case ((At.FILLING | At.PAYOUT | At.CANCELLED | At.FAILED), Filled()) if not sale.is_settled:
            return _filled(sale, event.at)
        case At.FILLED, Kept():
            return _to(sale, At.PROVING)
        case ((At.PAYOUT | At.CANCELLED | At.FAILED), TakenBack()) if not sale.is_settled:
            return _taken_back(sale, event)
        case at, Cleaned() if at in ENDS and (sale.is_settled or at is not At.CANCELLED):
            return replace(sale, is_clean=True), ()
    return sale, ()


def _reserve(sale: Sale) -> Step:
    sale = replace(sale, at=At.SLOT_RESERVING, why="", look_at=0)
    return sale, (Reserve(),)


def _taken_back(sale: Sale, event: TakenBack) -> Step:
    sale = replace(sale, payout=event.payout, returned=event.returned, is_settled=True)
    match sale.at:
        case At.PAYOUT:
            return _to(sale, At.FINISHED)
        case At.FAILED:
            return _errored(sale, "the request failed: too many of its slots were lost")
    return sale, _work(sale)
