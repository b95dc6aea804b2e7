"""The steps of a link until its first bill is paid: from CREATED to SIGNED.

Source   point.md 6.5
"""

from __future__ import annotations

from dataclasses import replace

from quire.base.errors import ChannelTooSmall, InsufficientFunds, PeerLied, VoucherRefused
from quire.base.machine import Failed, TimedOut
from quire.chain.hub import HubDomain
from quire.chain.values import Address
from quire.point.billing import amount_of, first_term, settle
from quire.point.choice_port import Outcome
from quire.point.link import (
    At,
    LinkState,
    fitted_bitmap,
    missing_blocks,
)
from quire.point.link_effects import (
    Fund,
    Pay,
    ReadClock,
    Report,
)
from quire.point.link_events import (
    Acked,
    Audited,
    Funded,
    LinkEvent,
    Mapped,
    NoAnswer,
    Now,
    Offered,
    Paid,
    Refused,
    Reserved,
    Retry,
    Room,
    Sealed,
    Signed,
    SlotLeft,
    SlotTaken,
)
from quire.point.link_moves import (
    Step,
    enter,
    fail,
    first_amount,
    is_too_dear,
    outcome_of,
    postponed,
    work,
)
from quire.point.link_upkeep import with_next_audit
from quire.point.receipt import SKEW_SECONDS, Asked, check_receipt
from quire.point.values import Code

ATTEMPTS = {
    At.CREATED: 6,
    At.SENDING_SEGMENT_MAP: 6,
    At.DATA_RECEIVED: 6,
    At.ASKING_FOR_SIGNATURE: 6,
    At.PAYING: 50,
}
SETBACKS_MAX = 6  # times that the provider sends us back to the map or to the data


def set_up(
    state: LinkState, event: LinkEvent | TimedOut | Failed, client: Address, domain: HubDomain
) -> Step:
    """Where an event leads in a state before SIGNED."""
    match event:
        case TimedOut():
            return _timed_out(state)
        case Failed() | NoAnswer() | Refused() if not _is_asked(state, event.effect):
            return state, ()  # it comes too late
        case Failed():
            return _failed(state, event)
        case NoAnswer():
            return _silent(state, event)
        case Refused():
            return _refused(state, event)
        case Now() if event.now >= state.order.expires_at:
            return fail(state, "its term was over before it was stored")
        case Signed() if state.at is At.ASKING_FOR_SIGNATURE:
            return _signed(state, event, client, domain)
    return _went_on(state, event)


def _is_asked(state: LinkState, effect: object) -> bool:
    return type(effect) in [type(asked) for asked in work(state)]


def _went_on(state: LinkState, event: LinkEvent) -> Step:
    match state.at, event:
        case At.CREATED, Offered() if state.is_offer_stale:
            return _offered(state, event)
        case At.CREATED, Reserved() if not state.is_offer_stale:
            return _reserved(state)
        case At.AGREED, Room():
            if event.tokens < first_amount(state):
                return enter(replace(state, back=At.AGREED), At.ESTABLISH_PAYMENT_CHANNEL)
            return enter(state, At.ENCRYPTING)
        case At.ESTABLISH_PAYMENT_CHANNEL, Funded():
            return _funded(state)
        case At.ESTABLISH_PAYMENT_CHANNEL, Retry() if state.is_paused:
            return replace(state, is_paused=False), work(state)
        case At.ENCRYPTING, Sealed():
            return enter(replace(state, sealed_root=event.root), At.ENCRYPTED)
        case At.ENCRYPTED, SlotTaken():
            return enter(state, At.SENDING_SEGMENT_MAP)
        case ((At.SENDING_SEGMENT_MAP | At.SENDING_DATA), Mapped()):
            return _mapped(state, event)
        case At.SENDING_DATA, Acked():
            return _acked(state, event)
        case At.DATA_RECEIVED, SlotLeft() if not state.must_audit:
            return enter(state, At.ASKING_FOR_SIGNATURE)
        case At.DATA_RECEIVED, Audited() if state.must_audit:
            return _audited(state, event)
        case At.PAYING, Paid(number=0):
            return _paid(state, event)
    return state, ()


def _offered(state: LinkState, event: Offered) -> Step:
    if is_too_dear(state, event.offer, state.order.seconds):
        return fail(state, "PRICE: its new price is above the budget", Outcome.REFUSED)
    state = replace(state, offer=event.offer, is_offer_stale=False)
    return state, work(state)


def _reserved(state: LinkState) -> Step:
    if is_too_dear(state, state.offer, state.order.seconds):
        return fail(state, "PRICE: its price is above the budget", Outcome.REFUSED)
    return enter(state, At.AGREED)


def _funded(state: LinkState) -> Step:
    state, effects = enter(state, state.back)
    if state.at is not At.SENDING_SEGMENT_MAP:
        return state, effects
    state = replace(state, attempts=state.setbacks - 1)  # the provider may see it a little later
    return state, work(state)


def _mapped(state: LinkState, event: Mapped) -> Step:
    claims = _claims(state, event.have)
    if claims.acked_count < state.acked_count:
        if state.setbacks >= SETBACKS_MAX:
            return fail(state, "it loses what it was sent, again and again", Outcome.BAD_DATA)
        claims = replace(claims, setbacks=state.setbacks + 1)
    return _has(claims)


def _claims(state: LinkState, have: bytes) -> LinkState:
    """It says that it has these blocks. Those of which we do not know may be a lie."""
    have = fitted_bitmap(have, state.order.blocks)
    beyond = int.from_bytes(have, "little") & ~int.from_bytes(state.acked, "little")
    return replace(state, acked=have, must_audit=state.must_audit or beyond != 0)


def _has(state: LinkState) -> Step:
    if not missing_blocks(state):
        return enter(state, At.DATA_RECEIVED)
    if state.at is At.SENDING_SEGMENT_MAP:
        return enter(state, At.SENDING_DATA)
    return state, ()


def _acked(state: LinkState, event: Acked) -> Step:
    have = int.from_bytes(fitted_bitmap(event.have, state.order.blocks), "little")
    acked = have | int.from_bytes(state.acked, "little")
    if acked == int.from_bytes(state.acked, "little"):
        return state, ()
    data = acked.to_bytes((state.order.blocks + 7) // 8, "little")
    return _has(replace(state, acked=data, attempts=0))


def _audited(state: LinkState, event: Audited) -> Step:
    if not event.passed:
        why = f"it said that it has the data already, and does not: {event.why}"
        return fail(state, why, Outcome.LOST)
    state = replace(state, must_audit=False, attempts=0)
    return state, work(state)


def _signed(state: LinkState, event: Signed, client: Address, domain: HubDomain) -> Step:
    order = state.order
    asked = Asked(
        order.link_id,
        client,
        state.offer,
        state.sealed_root,
        order.sealed_bytes,
        order.begins_at - SKEW_SECONDS,
        event.now + SKEW_SECONDS,
        order.expires_at,
    )
    try:
        check_receipt(event.receipt, asked, domain)
    except PeerLied as error:
        return fail(state, f"BAD_SIGNATURE: {error.message}", Outcome.BAD_SIGNATURE)
    signed = event.receipt.terms
    term = first_term(state.offer.offer, order.sealed_bytes, signed.starts_at, signed.expires_at)
    return enter(replace(state, receipt=event.receipt, terms=(term,)), At.PAYING)


def _paid(state: LinkState, event: Paid) -> Step:
    state = replace(
        state,
        terms=settle(state.terms, event.number),
        paid=state.paid + amount_of(state.terms, event.number),
        voucher_sum=event.voucher_sum,
    )
    state, effects = enter(with_next_audit(state, event.now, event.draw), At.SIGNED)
    return state, (Report(Outcome.KEPT), *effects)


# ---- what goes wrong ----


def _timed_out(state: LinkState) -> Step:
    match state.at:
        case At.AGREED | At.ENCRYPTED:
            return state, (ReadClock(),)
        case At.ESTABLISH_PAYMENT_CHANNEL:
            why = state.why or "FUNDS: the channel was not funded in time; it is tried again"
            state = replace(state, why=why, is_paused=True)
            return state, (*work(state), ReadClock())
        case At.ENCRYPTING:
            return fail(state, "its blocks could not be read and sealed in time")
        case At.SENDING_DATA:
            return fail(state, "the provider took no data for too long", Outcome.SILENT)
    return fail(state, f"the provider did not answer in time ({state.at})", Outcome.SILENT)


def _failed(state: LinkState, event: Failed) -> Step:
    error = event.error
    match state.at, event.effect, error:
        case At.ESTABLISH_PAYMENT_CHANNEL, Fund(), InsufficientFunds():
            return replace(state, why=f"FUNDS: {error.message}", is_paused=True), ()
        case At.ESTABLISH_PAYMENT_CHANNEL, Fund(), _:
            return fail(state, f"FUNDS: {error.message}")
        case At.PAYING, Pay(), ChannelTooSmall():
            return enter(replace(state, back=At.PAYING), At.ESTABLISH_PAYMENT_CHANNEL)
        case At.PAYING, Pay(), VoucherRefused():
            return _reread(state, error.message)
    return fail(state, error.message, outcome_of(error))


def _silent(state: LinkState, event: NoAnswer | Refused) -> Step:
    """Once more, later, unless it was tried often enough."""
    attempts = state.attempts + 1
    why = event.why if isinstance(event, NoAnswer) else f"{event.code.name} {event.text}".strip()
    if attempts >= ATTEMPTS.get(state.at, attempts + 1):
        outcome = Outcome.SILENT if isinstance(event, NoAnswer) else Outcome.REFUSED
        return fail(state, f"tried {attempts} times ({state.at}): {why}", outcome)
    state = replace(state, attempts=attempts)
    return state, work(state)


def _refused(state: LinkState, event: Refused) -> Step:
    match state.at, event.code:
        case _, Code.BUSY:
            return state, postponed(work(state), event.retry_after)
        case _, Code.INTERNAL:
            return _silent(state, event)
        case At.CREATED, Code.PRICE if not state.is_asked_again:
            state = replace(state, is_offer_stale=True, is_asked_again=True)
            return state, work(state)
        case ((At.SENDING_SEGMENT_MAP | At.SENDING_DATA), Code.ALREADY_STORED):
            full = fitted_bitmap(b"\xff" * ((state.order.blocks + 7) // 8), state.order.blocks)
            return enter(replace(_claims(state, full), must_audit=True), At.DATA_RECEIVED)
        case (
            (At.SENDING_SEGMENT_MAP | At.SENDING_DATA | At.ASKING_FOR_SIGNATURE),
            Code.UNKNOWN_LINK,
        ) if not state.is_reserved_again:
            forgotten = replace(state, is_reserved_again=True, acked=b"", must_audit=False)
            return enter(forgotten, At.CREATED, "the provider forgot the reservation")
        case At.SENDING_SEGMENT_MAP, Code.PAYMENT_REQUIRED:
            asking = replace(state, back=At.SENDING_SEGMENT_MAP)
            return _set_back(asking, At.ESTABLISH_PAYMENT_CHANNEL, event, Outcome.REFUSED)
        case At.ASKING_FOR_SIGNATURE, Code.PAYMENT_REQUIRED:
            return _silent(state, event)
        case At.SENDING_DATA, Code.BAD_HASH if event.index not in state.bad_blocks:
            state = replace(state, bad_blocks=(*state.bad_blocks, event.index))
            return state, work(state)
        case ((At.SENDING_DATA | At.ASKING_FOR_SIGNATURE), Code.NOT_FOUND):
            return _set_back(state, At.SENDING_SEGMENT_MAP, event)
        case At.ASKING_FOR_SIGNATURE, Code.INCOMPLETE:
            return _set_back(_claims(state, event.have), At.SENDING_DATA, event)
        case At.PAYING, (Code.BAD_VOUCHER | Code.OVERDRAWN):
            return _reread(state, f"{event.code.name} {event.text}".strip())
        case At.DATA_RECEIVED, _:
            why = f"it said that it has the data already, and answers {event.code.name}"
            return fail(state, why, Outcome.LOST)
    return fail(state, f"{event.code.name}: {event.text}", Outcome.REFUSED)


def _set_back(
    state: LinkState, at: At, event: Refused, outcome: Outcome = Outcome.BAD_DATA
) -> Step:
    if state.setbacks >= SETBACKS_MAX:
        return fail(state, f"{event.code.name}, again after {SETBACKS_MAX} times", outcome)
    return enter(replace(state, setbacks=state.setbacks + 1), at, event.text)


def _reread(state: LinkState, why: str) -> Step:
    """The payee refuses the voucher: the channel is read from the chain, once."""
    if state.is_reread:
        return fail(state, f"the voucher is refused: {why}", Outcome.REFUSED)
    again = replace(state, back=At.PAYING, is_reread=True)
    return enter(again, At.ESTABLISH_PAYMENT_CHANNEL, why)
