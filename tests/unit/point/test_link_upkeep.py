"""The steps of a link that is held: audits, bills, renewal, its end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from quire.base.errors import (
    ChannelTooSmall,
    InsufficientFunds,
    Reverted,
)
from quire.base.machine import Failed, TimedOut
from quire.point.billing import TERM_BILLS
from quire.point.choice_port import Outcome
from quire.point.link import At, Upkeep
from quire.point.link_effects import (
    AskOffer,
    AskRenewal,
    Audit,
    Close,
    Fund,
    Pay,
    ReadClock,
    Report,
)
from quire.point.link_events import (
    Audited,
    Closed,
    Extend,
    Funded,
    NoAnswer,
    Now,
    Offered,
    Paid,
    Refused,
    Retry,
    Signed,
)
from quire.point.link_upkeep import AUDIT_SECONDS, window_seconds
from quire.point.values import Code
from support.link_kit import (
    DAY,
    MACHINE,
    NOW,
    SIGNED_OFFER,
    go,
    offered,
    receipt,
)
from support.link_page import HELD, LABELLED, NEW, WINDOW


def test_an_audit_comes_every_hour_a_fifth_more_or_less() -> None:
    state = LABELLED["PAYING"]
    for draw, seconds in ((0.0, 2880), (0.5, 3600), (0.999999, 4319)):
        signed, _ = go(state, Paid(0, 1, NOW + 10, draw))
        deadline = MACHINE.deadline(signed)
        assert deadline is not None
        assert deadline.chain_time == NOW + 10 + seconds
    auditing, effects = go(signed, TimedOut())
    assert (auditing, effects) == (signed, (ReadClock(),))
    auditing, effects = go(signed, Now(signed.audit_at))
    assert (auditing.upkeep, effects) == (Upkeep.AUDITING, (Audit(),))
    good, effects = go(auditing, Audited(True, signed.audit_at + 1))
    assert (good.upkeep, effects) == (Upkeep.IDLE, (Report(Outcome.KEPT),))
    assert good.audit_at == signed.audit_at + 1 + AUDIT_SECONDS


def test_a_bill_is_paid_when_it_is_due_after_a_good_audit() -> None:
    state = replace(HELD, audit_at=NOW + DAY - 10)
    state, _ = go(state, Now(NOW + DAY - 10), Audited(True, NOW + DAY - 9))
    assert (state.upkeep, state.audit_at) == (Upkeep.IDLE, NOW + DAY)  # then the bill is due
    state, effects = go(state, Now(NOW + DAY))
    assert effects == (Audit(),)
    bad, effects = go(state, Audited(False, NOW + DAY))
    assert not any(isinstance(effect, Pay) for effect in effects)
    assert bad.audit_at > NOW + DAY
    good, effects = go(state, Audited(True, NOW + DAY))
    assert effects == (Report(Outcome.KEPT), Pay(1, 86400 * good.terms[0].rate))
    paid, effects = go(good, Paid(1, 5, NOW + DAY + 1))
    assert (paid.upkeep, list(effects), paid.terms[0].settled) == (Upkeep.IDLE, [], 2)
    assert go(paid, Paid(1, 5, NOW + DAY + 1))[0] == paid


def test_three_bad_audits_in_a_row_are_a_loss() -> None:
    state = replace(HELD, upkeep=Upkeep.AUDITING)
    for count in (1, 2):
        state, effects = go(state, Audited(False, NOW + count, why="another block"))
        assert (state.at, state.audits_failed) == (At.SIGNED, count)
        assert effects == (Report(Outcome.BAD_DATA, "another block"),)
        state, _ = go(state, Now(state.audit_at))
    lost, effects = go(state, Audited(False, NOW + 3))
    assert (lost.at, lost.outcome, effects) == (At.LOST, Outcome.LOST, (Close(),))
    good, _ = go(state, Audited(True, NOW + 3))
    assert good.audits_failed == 0


def test_a_silent_provider_is_asked_three_times_in_one_audit() -> None:
    state = replace(HELD, upkeep=Upkeep.AUDITING)
    for _ in range(2):
        state, effects = go(state, NoAnswer(Audit(), "silence", NOW + 50))
        assert (state.audits_failed, type(effects[0])) == (0, Audit)
    state, effects = go(state, NoAnswer(Audit(), "silence", NOW + 50))
    assert (state.audits_failed, effects) == (1, (Report(Outcome.SILENT, "silence"),))
    assert state.audit_at == NOW + 50 + AUDIT_SECONDS


def test_a_provider_that_says_so_has_lost_it() -> None:
    state = replace(HELD, upkeep=Upkeep.AUDITING)
    assert go(state, Refused(Audit(), Code.LOST))[0].at is At.LOST


def test_a_later_bill_funds_the_channel_and_the_link_stays_signed() -> None:
    paying = LABELLED["SIGNED, paying"]
    state, effects = go(paying, Failed(Pay(1, 1), ChannelTooSmall("no room")))
    amount = 86400 * state.terms[0].rate
    assert (state.at, effects) == (At.SIGNED, (Fund(amount),))
    poor, effects = go(state, Failed(Fund(amount), InsufficientFunds("empty")))
    assert (poor.at, poor.is_paused, list(effects)) == (At.SIGNED, True, [])
    assert poor.why.startswith("FUNDS")
    assert go(poor, Retry())[1] == (Fund(amount),)
    assert go(state, Funded())[1] == (Pay(1, amount),)


def test_the_window_of_a_renewal() -> None:
    assert window_seconds(30 * DAY) == 3 * DAY
    assert window_seconds(7200) == 3600
    assert window_seconds(DAY) == 8640
    assert window_seconds(600) == 300  # an hour would be more than there is


def test_a_renewal_needs_a_new_receipt_and_is_paid() -> None:
    """Scenario 7."""
    assert go(HELD, Now(WINDOW - 1))[0].at is At.SIGNED
    state, effects = go(replace(HELD, audit_at=WINDOW + 9), Now(WINDOW))
    assert (state.at, effects) == (At.RENEWING, (AskOffer(),))
    assert state.is_held
    state, effects = go(state, Offered(SIGNED_OFFER))
    assert effects == (AskRenewal(),)
    further = receipt(state, starts_at=NOW + 2 * DAY, expires_at=NOW + 4 * DAY)
    state, effects = go(state, Signed(further, WINDOW + 5))
    assert (state.at, state.expires_at) == (At.RENEWING, NOW + 4 * DAY)
    assert type(effects[0]) is Pay
    # The second day of the first term was not paid yet: that comes first.
    state, effects = go(state, Paid(1, 8, WINDOW + 6))
    assert (state.at, effects) == (At.RENEWING, (Pay(TERM_BILLS, 86400 * state.terms[-1].rate),))
    state, _ = go(state, Paid(TERM_BILLS, 9, WINDOW + 7))
    assert (state.at, state.renewal, state.upkeep) == (At.SIGNED, None, Upkeep.IDLE)
    assert len(state.terms) == 1
    assert state.paid == 86400 * (HELD.terms[-1].rate + state.terms[-1].rate)
    assert go(state, Paid(TERM_BILLS, 9, WINDOW + 8))[0].paid == state.paid


def test_without_autorenew_a_link_expires() -> None:
    state, effects = go(replace(HELD, is_autorenewed=False), Now(NOW + 2 * DAY))
    assert (state.at, state.outcome, effects) == (At.EXPIRED, None, (Close(),))
    assert go(state, Closed())[0].is_closed


@pytest.mark.parametrize(
    "event",
    [
        Refused(AskRenewal(), Code.REFUSED, "no"),
        Refused(AskRenewal(), Code.NO_SPACE),
        Failed(AskRenewal(), Reverted("nonsense")),
    ],
)
def test_a_refused_renewal_stays_until_its_end(event: Any) -> None:
    """Scenario 8, seen from the link: it is held to the last second, and audited."""
    state, effects = go(LABELLED["RENEWING, offer known"], event)
    assert (state.at, list(effects), state.is_held) == (At.RENEWING, [], True)
    assert state.why.startswith("it is not renewed")
    assert go(state, Now(state.audit_at))[1] == (Audit(),)
    assert go(state, Now(state.expires_at))[0].at is At.EXPIRED


def test_a_price_above_the_budget_is_not_renewed() -> None:
    state, effects = go(LABELLED["RENEWING"], Offered(offered(price_byte_second=10**6)))
    assert list(effects) == []
    assert state.renewal is not None
    assert state.renewal.is_refused


def test_a_bad_receipt_of_a_renewal_changes_nothing_but_the_opinion() -> None:
    asking = LABELLED["RENEWING, offer known"]
    bad = receipt(asking, starts_at=NOW + 2 * DAY, expires_at=NOW + 4 * DAY, sealed_bytes=9)
    state, effects = go(asking, Signed(bad, WINDOW))
    assert (state.receipt, state.terms, state.at) == (asking.receipt, asking.terms, At.RENEWING)
    assert [type(effect) for effect in effects] == [Report]
    assert effects[0].outcome is Outcome.BAD_SIGNATURE


def test_the_owner_can_want_it_longer() -> None:
    state, effects = go(HELD, Extend(NOW + 3 * DAY, False))
    assert (state.at, effects) == (At.RENEWING, (AskOffer(),))
    assert state.renewal is not None
    assert state.renewal.expires_at == NOW + 3 * DAY
    refused, _ = go(state, Offered(SIGNED_OFFER), Refused(AskRenewal(), Code.REFUSED))
    assert (refused.at, refused.wanted_until) == (At.SIGNED, HELD.expires_at)
    early = go(NEW, Extend(NOW + 9 * DAY, False))[0]
    assert (early.at, early.wanted_until, early.expires_at) == (
        At.CREATED,
        NOW + 9 * DAY,
        NOW + 2 * DAY,
    )
