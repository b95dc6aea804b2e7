"""The steps of a link that is held: audits, the bill of each period, renewal, expiry.

One timer serves audits and bills: a bill is paid only after an audit that went well when the bill
was due, so an audit begins when a bill is due. Renewals go on beside them.

Source   point.md 6.5
"""

from __future__ import annotations

from dataclasses import replace

from quire.base.errors import ChannelTooSmall, InsufficientFunds, PeerError, PeerLied
from quire.base.machine import Failed, TimedOut
from quire.chain.hub import HubDomain
from quire.chain.values import Address
from quire.point.billing import amount_of, due_bill, next_due, renewed_term, settle
from quire.point.choice_port import Outcome
from quire.point.link import (
    At,
    LinkState,
    Renewal,
    Upkeep,
)
from quire.point.link_effects import (
    AskOffer,
    AskRenewal,
    Audit,
    Fund,
    Pay,
    ReadClock,
    Report,
)
from quire.point.link_events import (
    Audited,
    Extend,
    Funded,
    LinkEvent,
    NoAnswer,
    Now,
    Offered,
    Paid,
    Refused,
    Retry,
    Signed,
)
from quire.point.link_moves import (
    Step,
    end,
    is_too_dear,
    outcome_of,
    postponed,
    renewal_work,
    upkeep_work,
    work,
)
from quire.point.receipt import Asked, check_receipt
from quire.point.values import Code, SignedOffer

AUDIT_SECONDS, AUDIT_SPREAD = 3600, 0.2
AUDIT_TRIES = 3  # of one audit, when the peer does not answer
AUDITS_FAILED_MAX = 3  # in a row
RENEWAL_SHARE, RENEWAL_SECONDS_LEAST = 10, 3600  # a tenth of the term, an hour at least
RENEWAL_TRIES = 6  # while the provider says that its price is another


def window_seconds(seconds: int) -> int:
    """How long before the end of a term its renewal begins; never more than half of it."""
    return min(max(seconds // RENEWAL_SHARE, RENEWAL_SECONDS_LEAST), seconds // 2)


def renewal_at(state: LinkState) -> int | None:
    """From when a link that is held is to be renewed; 0: now; None: it is not."""
    term = state.terms[-1]
    if state.wanted_until > term.expires_at:
        return 0
    if not state.is_autorenewed:
        return None
    return term.expires_at - window_seconds(term.seconds)


def wake_at(state: LinkState) -> int:
    """When something is to be done: audit or bill, renewal, end."""
    times = [state.expires_at]
    if state.upkeep is Upkeep.IDLE:
        times.append(state.audit_at)
    renewal = renewal_at(state)
    if state.at is At.SIGNED and renewal is not None:
        times.append(renewal)
    return max(min(times), state.look_at)


def with_next_audit(state: LinkState, now: int, draw: float) -> LinkState:
    """The next one in an hour, a fifth more or less, or when the next bill is due."""
    at = now + int(AUDIT_SECONDS * (1 - AUDIT_SPREAD + 2 * AUDIT_SPREAD * draw))
    due = next_due(state.terms)
    if due is not None and now < due < at:
        at = due
    return replace(state, audit_at=at, look_at=now)


def keep_up(
    state: LinkState, event: LinkEvent | TimedOut | Failed, client: Address, domain: HubDomain
) -> Step:
    """Where an event leads in SIGNED and RENEWING."""
    match event:
        case TimedOut():
            return state, (ReadClock(),)
        case Now():
            return _looked(state, event.now)
        case Failed():
            return _failed(state, event)
        case Audited() if state.upkeep is Upkeep.AUDITING:
            return _audited(state, event)
        case Paid() if state.upkeep is Upkeep.PAYING:
            return _paid(state, event)
        case Funded() if state.upkeep is Upkeep.FUNDING:
            return _go_on(state, Upkeep.PAYING)
        case Retry() if state.is_paused and state.upkeep is Upkeep.IDLE:
            return _go_on(replace(state, is_paused=False, why=""), Upkeep.FUNDING)
        case NoAnswer(effect=Audit()) | Refused(effect=Audit()):
            return _not_audited(state, event) if state.upkeep is Upkeep.AUDITING else (state, ())
        case NoAnswer(effect=Pay()) | Refused(effect=Pay()):
            return _not_paid(state, event) if state.upkeep is Upkeep.PAYING else (state, ())
        case Extend() if state.at is At.SIGNED and state.wanted_until > state.expires_at:
            return _renew(state, is_early=True)
    if state.renewal is None or state.renewal.is_signed or state.renewal.is_refused:
        return state, ()
    return _renewing(state, state.renewal, event, client, domain)


def _looked(state: LinkState, now: int) -> Step:
    """What the time says is to be done."""
    state = replace(state, look_at=max(now, state.look_at))
    if now >= state.expires_at:
        return end(state, At.EXPIRED, "its term is over")
    begun: Step = (state, ())
    if state.upkeep is Upkeep.IDLE and now >= state.audit_at:
        begun = _go_on(state, Upkeep.AUDITING)
    renewal = renewal_at(state)
    if state.at is At.SIGNED and renewal is not None and now >= renewal:
        early = state.wanted_until > state.expires_at
        return _renew(begun[0], is_early=early)
    return begun


def _go_on(state: LinkState, upkeep: Upkeep) -> Step:
    state = replace(state, upkeep=upkeep, attempts=0)
    return state, upkeep_work(state)


# ---- audits and bills ----


def _audited(state: LinkState, event: Audited) -> Step:
    if not event.passed:
        return _missed(state, event.why, Outcome.BAD_DATA, event.now, event.draw)
    state = with_next_audit(replace(state, audits_failed=0), event.now, event.draw)
    is_due = due_bill(state.terms, event.now) is not None
    state, effects = _go_on(state, Upkeep.PAYING if is_due else Upkeep.IDLE)
    return state, (Report(Outcome.KEPT), *effects)


def _not_audited(state: LinkState, event: NoAnswer | Refused) -> Step:
    is_silent = isinstance(event, NoAnswer) or event.code in (Code.BUSY, Code.INTERNAL)
    if is_silent and state.attempts + 1 < AUDIT_TRIES:
        state = replace(state, attempts=state.attempts + 1)
        return state, upkeep_work(state)
    now = max(event.now, state.look_at)
    if isinstance(event, NoAnswer):
        return _missed(state, event.why, Outcome.SILENT, now, 0.5)
    if event.code is Code.LOST:
        return end(state, At.LOST, "the provider says that it lost the data", Outcome.LOST)
    outcome = Outcome.SILENT if is_silent else Outcome.LOST
    return _missed(state, f"{event.code.name} {event.text}".strip(), outcome, now, 0.5)


def _missed(state: LinkState, why: str, outcome: Outcome, now: int, draw: float) -> Step:
    """An audit that went wrong."""
    failed = state.audits_failed + 1
    if failed >= AUDITS_FAILED_MAX:
        why = f"{failed} audits in a row went wrong, the last: {why}"
        return end(state, At.LOST, why, Outcome.LOST)
    state = with_next_audit(replace(state, audits_failed=failed), now, draw)
    state, effects = _go_on(state, Upkeep.IDLE)
    return state, (Report(outcome, why), *effects)


def _paid(state: LinkState, event: Paid) -> Step:
    state = replace(
        state,
        terms=settle(state.terms, event.number),
        paid=state.paid + amount_of(state.terms, event.number),
        voucher_sum=max(state.voucher_sum, event.voucher_sum),
        look_at=max(state.look_at, event.now),
        is_paused=False,
        why="",
    )
    if due_bill(state.terms, state.look_at) is not None:
        return _go_on(state, Upkeep.PAYING)
    due = next_due(state.terms)
    if due is not None and due < state.audit_at:
        state = replace(state, audit_at=due)
    state = replace(state, upkeep=Upkeep.IDLE, attempts=0)
    if state.renewal is not None and state.renewal.is_signed and state.terms[-1].settled:
        return replace(state, at=At.SIGNED, renewal=None), ()
    return state, ()


def _not_paid(state: LinkState, event: NoAnswer | Refused) -> Step:
    """The same voucher again; after a while with the next audit."""
    if state.attempts + 1 < AUDIT_TRIES:
        state = replace(state, attempts=state.attempts + 1)
        return state, upkeep_work(state)
    why = event.why if isinstance(event, NoAnswer) else f"{event.code.name} {event.text}"
    state, _ = _go_on(state, Upkeep.IDLE)
    return replace(state, why=f"a bill could not be handed over: {why}"), ()


def _failed(state: LinkState, event: Failed) -> Step:
    error = event.error
    match event.effect:
        case Pay() if state.upkeep is Upkeep.PAYING and isinstance(error, ChannelTooSmall):
            return _go_on(state, Upkeep.FUNDING)
        case Pay() if state.upkeep is Upkeep.PAYING:
            return replace(state, upkeep=Upkeep.IDLE, attempts=0, why=error.message), ()
        case Fund() if state.upkeep is Upkeep.FUNDING:
            paused = isinstance(error, InsufficientFunds)
            why = f"FUNDS: {error.message}"
            return replace(state, upkeep=Upkeep.IDLE, why=why, is_paused=paused), ()
        case Audit() if state.upkeep is Upkeep.AUDITING:
            return _audit_failed(state, event)
        case AskOffer() | AskRenewal() if state.renewal is not None:
            return _refused_renewal(state, state.renewal, error.message)
    return state, ()


def _audit_failed(state: LinkState, event: Failed) -> Step:
    """Only what the peer did wrong counts; else it is audited again in its time."""
    if isinstance(event.error, PeerError):
        outcome = outcome_of(event.error) or Outcome.SILENT
        return _missed(state, event.error.message, outcome, state.look_at, 0.5)
    state = with_next_audit(state, state.look_at, 0.5)
    return replace(state, upkeep=Upkeep.IDLE, attempts=0, why=event.error.message), ()


# ---- renewal ----


def _renew(state: LinkState, *, is_early: bool) -> Step:
    until = max(state.wanted_until, state.expires_at)
    if not is_early:
        until = state.expires_at + state.order.seconds
    state = replace(state, at=At.RENEWING, renewal=Renewal(until, is_early))
    return state, work(state)


def _renewing(
    state: LinkState,
    renewal: Renewal,
    event: LinkEvent,
    client: Address,
    domain: HubDomain,
) -> Step:
    match event:
        case Offered() if renewal.offer is None:
            seconds = renewal.expires_at - state.expires_at
            if is_too_dear(state, event.offer, seconds, is_renewal=True):
                return _refused_renewal(state, renewal, "its price is above the budget")
            return _ask_again(state, replace(renewal, offer=event.offer))
        case Signed() if renewal.offer is not None:
            return _renewed(state, renewal, renewal.offer, event, client, domain)
        case NoAnswer(effect=AskOffer() | AskRenewal()):
            return _ask_again(state, replace(renewal, attempts=renewal.attempts + 1))
        case Refused(effect=AskOffer() | AskRenewal()):
            return _not_renewed(state, renewal, event)
    return state, ()


def _ask_again(state: LinkState, renewal: Renewal) -> Step:
    state = replace(state, renewal=renewal)
    return state, renewal_work(state)


def _not_renewed(state: LinkState, renewal: Renewal, event: Refused) -> Step:
    attempts = renewal.attempts + 1
    match event.code:
        case Code.BUSY:
            return state, postponed(renewal_work(state), event.retry_after)
        case Code.INTERNAL | Code.PAYMENT_REQUIRED:
            return _ask_again(state, replace(renewal, attempts=attempts))
        case Code.PRICE if attempts < RENEWAL_TRIES:
            return _ask_again(state, replace(renewal, attempts=attempts, offer=None))
    return _refused_renewal(state, renewal, f"{event.code.name} {event.text}".strip())


def _refused_renewal(state: LinkState, renewal: Renewal, why: str) -> Step:
    """It stays until its end; when the owner asked before the time, it is asked again in time."""
    why = f"it is not renewed: {why}"
    if renewal.is_early:
        state = replace(state, at=At.SIGNED, why=why, renewal=None, wanted_until=state.expires_at)
        return state, work(state)
    return replace(state, why=why, renewal=replace(renewal, is_refused=True)), ()


def _renewed(
    state: LinkState,
    renewal: Renewal,
    offer: SignedOffer,
    event: Signed,
    client: Address,
    domain: HubDomain,
) -> Step:
    order, last = state.order, state.terms[-1]
    asked = Asked(
        order.link_id,
        client,
        offer,
        state.sealed_root,
        order.sealed_bytes,
        last.expires_at,
        last.expires_at,
        renewal.expires_at,
    )
    try:
        check_receipt(event.receipt, asked, domain)
    except PeerLied as error:
        state, _ = _refused_renewal(state, replace(renewal, is_early=False), error.message)
        return state, (Report(Outcome.BAD_SIGNATURE, error.message),)
    now = max(event.now, state.look_at)
    term = renewed_term(last, offer.offer, order.sealed_bytes, renewal.expires_at, now)
    state = replace(
        state,
        offer=offer,
        receipt=event.receipt,
        terms=(*state.terms, term),
        wanted_until=max(state.wanted_until, renewal.expires_at),
        renewal=replace(renewal, is_signed=True),
        look_at=now,
    )
    return _go_on(state, Upkeep.PAYING) if state.upkeep is Upkeep.IDLE else (state, ())
