"""The machine of a lease: a provider's side of a link.

Source   point.md 6.5 (provider machine)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TypeAlias

from quire.base.machine import Deadline, Failed, TimedOut
from quire.base.units import format_time
from quire.formats.replica_codes import LeaseState
from quire.point.billing import due_bill, first_term, next_due, renewed_term, settle
from quire.point.lease import (
    GRACE_SECONDS,
    RECEIVED,
    SIGNED,
    Charge,
    Charged,
    CheckDues,
    Drop,
    Dropped,
    Dues,
    Given,
    Hold,
    Lease,
    LeaseEffect,
    LeaseEvent,
    LeaseNow,
    LookAtClock,
    Lost,
    MapTaken,
    Progress,
    RenewAsked,
    SignAsked,
)
from quire.point.lease_record import decode_lease, encode_lease
from quire.point.values import BLOCK_BYTES, ReceiptTerms, SignedOffer

RESERVED_SECONDS = 600.0
IDLE_SECONDS = 1800.0  # while its blocks come in, for each STEPS-th of them
STEPS = 16  # so who sends a block now and then holds room that he does not pay for a few hours
COMPLETE_SECONDS = 3600.0  # until the receipt is asked for
DUES_SECONDS = 600  # between two looks at an account that owes
DROP_SECONDS = 60.0  # between two attempts to give the space back

Step: TypeAlias = tuple[Lease, Sequence[LeaseEffect]]

_SECONDS = {
    LeaseState.RESERVED: RESERVED_SECONDS,
    LeaseState.MAPPED: IDLE_SECONDS,
    LeaseState.RECEIVING: IDLE_SECONDS,
    LeaseState.COMPLETE: COMPLETE_SECONDS,
    LeaseState.DELETED: DROP_SECONDS,
}


class LeaseMachine:
    """Implements `base.machine.Machine`."""

    kind = "lease"

    def step(self, state: Lease, event: LeaseEvent | TimedOut | Failed) -> Step:
        match event:
            case _ if state.at is LeaseState.DELETED:
                return _deleted(state, event)
            case Given():
                return _delete(state, "the client does not want it any more")
            case Lost():
                return _delete(state, f"its data is lost: {event.why}")
            case TimedOut():
                return _timed_out(state)
            case MapTaken() if state.at is LeaseState.RESERVED:
                return replace(state, at=LeaseState.MAPPED, root=event.root), ()
            case Progress():
                return _progress(state, event.received)
            case SignAsked() if state.at is LeaseState.COMPLETE:
                return _sign(state, event.now)
            case RenewAsked() if state.at in SIGNED:
                return _renew(state, event)
            case LeaseNow() if state.at in SIGNED:
                return _looked(replace(state, look_at=max(event.now, state.look_at)))
            case Dues() if state.at in SIGNED:
                return _dues(replace(state, look_at=max(event.now, state.look_at)), event)
            case Charged() if state.at in SIGNED:
                state = replace(state, terms=settle(state.terms, event.number))
                return state, _charges(state)
        return state, ()

    def resume(self, state: Lease) -> Sequence[LeaseEffect]:
        if state.at is LeaseState.DELETED:
            return () if state.is_closed else (Drop(),)
        if state.at not in SIGNED:
            return ()
        return (Hold(state.kept_until), *_charges(state), LookAtClock())

    def name(self, state: Lease) -> str:
        return state.at.name

    def words(self, state: Lease) -> str:
        order = state.order
        match state.at:
            case LeaseState.RESERVED:
                return f"room for {order.blocks} blocks is kept; waiting for their hashes"
            case LeaseState.MAPPED | LeaseState.RECEIVING:
                return f"{state.received} of {order.blocks} blocks have come"
            case LeaseState.COMPLETE:
                return "every block is here; waiting until the receipt is asked for"
            case LeaseState.STORED:
                return f"kept until {format_time(state.expires_at)}"
            case LeaseState.GRACE:
                return f"{state.why}; it is deleted at {format_time(state.grace_until)}"
        return state.why

    def deadline(self, state: Lease) -> Deadline | None:
        if self.has_ended(state):
            return None
        reason = self.words(state)
        if state.at is LeaseState.STORED:
            return Deadline(reason, chain_time=_stored_until(state), mark=state.look_at)
        if state.at is LeaseState.GRACE:
            look_at = state.look_at + DUES_SECONDS if state.is_unpaid else state.grace_until
            until = min(state.grace_until, look_at)
            return Deadline(reason, chain_time=until, mark=state.look_at)
        done = state.received * STEPS // state.order.blocks
        return Deadline(reason, after_seconds=_SECONDS[state.at], mark=done)

    def has_ended(self, state: Lease) -> bool:
        return state.at is LeaseState.DELETED and state.is_closed

    def encode(self, state: Lease) -> bytes:
        return encode_lease(state)

    def decode(self, data: bytes) -> Lease:
        return decode_lease(data)


def receipt_terms(
    state: Lease, offer: SignedOffer, starts_at: int, expires_at: int
) -> ReceiptTerms:
    """What is signed for a term of this lease."""
    order = state.order
    return ReceiptTerms(
        link_id=order.link_id,
        client=order.client,
        provider=offer.offer.payee,
        peer=sha256(offer.offer.peer_id).digest(),
        sealed_root=state.root,
        sealed_bytes=order.sealed_bytes,
        block_size=BLOCK_BYTES,
        starts_at=starts_at,
        expires_at=expires_at,
        price_byte_second=offer.offer.price_byte_second,
        offer_hash=offer.digest,
    )


# ---- until it is stored ----


def _progress(state: Lease, received: int) -> Step:
    if not state.root or state.at in SIGNED:
        return state, ()
    at = LeaseState.RECEIVING if received else LeaseState.MAPPED
    if received == state.order.blocks:
        at = LeaseState.COMPLETE
    return replace(state, at=at, received=received), ()


def _sign(state: Lease, now: int) -> Step:
    order = state.order
    if now >= order.expires_at:
        return _delete(state, "its term was over before its receipt was asked for")
    terms = receipt_terms(state, order.offer, now, order.expires_at)
    term = first_term(order.offer.offer, order.sealed_bytes, now, order.expires_at)
    state = replace(state, at=LeaseState.STORED, receipt=terms, terms=(term,), look_at=now)
    return state, (Hold(state.kept_until), *_charges(state))


def _timed_out(state: Lease) -> Step:
    if state.at in SIGNED:
        return state, (LookAtClock(),)
    what = "no receipt was asked for" if state.at in RECEIVED else "no block came"
    return _delete(state, f"{what} for {_SECONDS[state.at] / 60:.0f} minutes")


def _delete(state: Lease, why: str) -> Step:
    return replace(state, at=LeaseState.DELETED, why=why, grace_until=0), (Drop(),)


def _deleted(state: Lease, event: LeaseEvent | TimedOut | Failed) -> Step:
    match event:
        case Dropped():
            return replace(state, is_closed=True), ()
        case TimedOut() if not state.is_closed:
            return state, (Drop(),)
    return state, ()


# ---- while it is stored ----


def _stored_until(state: Lease) -> int:
    due = next_due(state.terms)
    return state.expires_at if due is None else min(due, state.expires_at)


def _charges(state: Lease) -> tuple[Charge, ...]:
    """The bill that is due. Nothing is charged for a grace."""
    bill = None if state.at is LeaseState.GRACE else due_bill(state.terms, state.look_at)
    return () if bill is None else (Charge(bill.number, bill.amount),)


def _looked(state: Lease) -> Step:
    if state.at is LeaseState.GRACE:
        if state.look_at >= state.grace_until:
            return _delete(state, state.why)
        return state, (CheckDues(),) if state.is_unpaid else ()
    if state.look_at >= state.expires_at:
        return _grace(state, "its term is over", state.expires_at + GRACE_SECONDS)
    # What he owed when this period began; its own bill comes after.
    return state, (CheckDues(),)


def _dues(state: Lease, event: Dues) -> Step:
    if state.at is LeaseState.GRACE:
        if event.overdue_seconds or not state.is_unpaid:
            return state, ()
        state = replace(state, at=LeaseState.STORED, why="", grace_until=0, is_unpaid=False)
        return state, (Hold(state.kept_until), *_charges(state))
    if event.overdue_seconds >= state.terms[-1].period:
        why = f"the client has owed for {event.overdue_seconds} s"
        state = replace(state, is_unpaid=True)
        return _grace(state, why, state.look_at + GRACE_SECONDS)
    return state, _charges(state)


def _grace(state: Lease, why: str, until: int) -> Step:
    return replace(state, at=LeaseState.GRACE, why=why, grace_until=until), ()


def _renew(state: Lease, event: RenewAsked) -> Step:
    """A further term, which follows the one before; a debt is not forgotten by it."""
    last = state.terms[-1]
    if event.expires_at <= last.expires_at or state.is_unpaid:
        return state, ()
    order = state.order
    term = renewed_term(last, event.offer.offer, order.sealed_bytes, event.expires_at, event.now)
    state = replace(
        state,
        at=LeaseState.STORED,
        why="",
        grace_until=0,
        offer=event.offer,
        receipt=receipt_terms(state, event.offer, last.expires_at, event.expires_at),
        terms=(*state.terms, term),
        look_at=max(event.now, state.look_at),
    )
    return state, (Hold(state.kept_until), *_charges(state))
