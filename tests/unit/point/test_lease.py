"""The steps of a lease: the provider's side of a link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from quire.base.errors import BadEncoding
from quire.base.machine import TimedOut
from quire.formats.replica_codes import LeaseState
from quire.point.billing import TERM_BILLS
from quire.point.lease import (
    GRACE_SECONDS,
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
    LeaseNow,
    LookAtClock,
    Lost,
    MapTaken,
    Progress,
    RenewAsked,
    SignAsked,
)
from quire.point.receipt import SKEW_SECONDS, Asked, check_receipt, sign_receipt
from support.lease_page import COMPLETE, EVENTS, EXPIRES, GRACE, LABELLED, MACHINE, NEW, STORED
from support.link_kit import (
    BLOCKS,
    CLIENT,
    DAY,
    DOMAIN,
    LINK_ID,
    NOW,
    OFFER,
    ROOT,
    SEALED_BYTES,
    SIGN_PAYEE,
    SIGNED_OFFER,
    offered,
)

RATE, FEE = OFFER.price_byte_second * SEALED_BYTES, OFFER.fee_put_byte * SEALED_BYTES


def go(state: Lease, *events: Any) -> tuple[Lease, Sequence[Any]]:
    effects: Sequence[Any] = ()
    for event in events:
        state, effects = MACHINE.step(state, event)
    return state, effects


@pytest.mark.parametrize("state", LABELLED.values(), ids=LABELLED)
def test_every_event_leads_to_a_sound_state(state: Lease) -> None:
    for name, event in EVENTS.items():
        after, effects = MACHINE.step(state, event)
        assert MACHINE.decode(MACHINE.encode(after)) == after, name
        assert after.order == state.order, name
        assert MACHINE.words(after), name
        assert (MACHINE.deadline(after) is None) == MACHINE.has_ended(after), name
        assert (after.at in SIGNED) <= (after.receipt is not None), name
        if state.at is LeaseState.DELETED:
            assert after.at is LeaseState.DELETED, name
        elif after.at is LeaseState.DELETED:
            assert list(effects) == [Drop()], name
        if after.receipt != state.receipt:
            assert name in ("SignAsked", "RenewAsked"), name


@pytest.mark.parametrize("state", LABELLED.values(), ids=LABELLED)
def test_what_is_charged_is_charged_again_after_a_restart(state: Lease) -> None:
    for event in EVENTS.values():
        after, effects = MACHINE.step(state, event)
        charged = [effect for effect in effects if isinstance(effect, Charge)]
        assert set(charged) <= set(MACHINE.resume(after))


def test_the_way_of_a_lease() -> None:
    state, seen = NEW, []
    for event in (
        MapTaken(ROOT), Progress(1), Progress(BLOCKS), SignAsked(NOW), Charged(0),
    ):  # fmt: skip
        state, effects = MACHINE.step(state, event)
        seen.append((state.at.name, *effects))
    assert seen == [
        ("MAPPED",),
        ("RECEIVING",),
        ("COMPLETE",),
        ("STORED", Hold(EXPIRES + GRACE_SECONDS), Charge(0, FEE + DAY * RATE)),
        ("STORED",),
    ]


def test_what_it_signs_is_what_the_client_asked_for() -> None:
    state, _ = go(COMPLETE, SignAsked(NOW))
    assert state.receipt is not None
    times = (NOW - SKEW_SECONDS, NOW, EXPIRES)
    asked = Asked(LINK_ID, CLIENT, SIGNED_OFFER, ROOT, SEALED_BYTES, *times)
    check_receipt(sign_receipt(SIGN_PAYEE, DOMAIN, state.receipt), asked, DOMAIN)
    assert go(state, SignAsked(NOW + 100))[0].receipt == state.receipt  # always the same


def test_blocks_that_are_lost_before_the_receipt_are_asked_for_again() -> None:
    assert go(COMPLETE, Progress(2))[0].at is LeaseState.RECEIVING
    assert go(COMPLETE, Progress(0))[0].at is LeaseState.MAPPED
    assert go(STORED, Progress(2))[0] == STORED


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("RESERVED", 600), ("MAPPED", 1800), ("RECEIVING", 1800), ("COMPLETE", 3600)],
)
def test_an_idle_lease_is_dropped(name: str, seconds: int) -> None:
    deadline = MACHINE.deadline(LABELLED[name])
    assert deadline is not None
    assert deadline.after_seconds == seconds
    assert go(LABELLED[name], TimedOut())[0].at is LeaseState.DELETED


def test_progress_gives_it_new_time() -> None:
    before, after = (
        MACHINE.deadline(LABELLED["RECEIVING"]),
        MACHINE.deadline(go(LABELLED["RECEIVING"], Progress(3))[0]),
    )
    assert before is not None
    assert after is not None
    assert before.mark != after.mark


def test_a_block_now_and_then_does_not_hold_room_for_weeks() -> None:
    order = replace(NEW.order, blocks=1024, sealed_bytes=1024 * 65536)
    state, marks = go(replace(NEW, order=order), MapTaken(ROOT))[0], set()
    for received in range(1, 1024):
        deadline = MACHINE.deadline(go(state, Progress(received))[0])
        assert deadline is not None
        marks.add(deadline.mark)
    assert len(marks) == 16  # of half an hour each


def test_each_period_is_charged_when_it_begins() -> None:
    deadline = MACHINE.deadline(STORED)
    assert deadline is not None
    assert deadline.chain_time == NOW + DAY
    assert go(STORED, TimedOut())[1] == (LookAtClock(),)
    state, effects = go(STORED, LeaseNow(NOW + DAY))
    assert effects == (CheckDues(),)
    state, effects = go(state, Dues(0, NOW + DAY))
    assert effects == (Charge(1, DAY * RATE),)
    assert go(state, Charged(1))[0].terms[0].settled == 2
    assert list(go(state, Charged(1), Charged(1))[1]) == []


def test_who_owes_for_a_period_is_in_grace_until_he_pays() -> None:
    fine, _ = go(STORED, Dues(DAY - 1, NOW + DAY))
    assert fine.at is LeaseState.STORED
    state, effects = go(STORED, Dues(DAY, NOW + DAY))
    assert (state.at, state.is_unpaid, list(effects)) == (LeaseState.GRACE, True, [])
    assert state.grace_until == NOW + DAY + GRACE_SECONDS
    assert go(state, LeaseNow(NOW + DAY + 600))[1] == (CheckDues(),)
    assert go(state, Dues(DAY + 600, NOW + DAY + 600))[0].at is LeaseState.GRACE
    paid, effects = go(state, Dues(0, NOW + DAY + 700))
    assert (paid.at, paid.is_unpaid, paid.grace_until) == (LeaseState.STORED, False, 0)
    assert Charge(1, DAY * RATE) in effects
    gone, effects = go(state, LeaseNow(state.grace_until))
    assert (gone.at, effects) == (LeaseState.DELETED, (Drop(),))


def test_after_its_end_it_is_kept_for_a_day_and_can_be_renewed() -> None:
    """Scenario 7."""
    state, _ = go(STORED, LeaseNow(EXPIRES))
    assert (state.at, state.grace_until) == (LeaseState.GRACE, EXPIRES + GRACE_SECONDS)
    assert go(state, LeaseNow(EXPIRES + GRACE_SECONDS - 1))[0].at is LeaseState.GRACE
    assert go(state, LeaseNow(EXPIRES + GRACE_SECONDS))[0].at is LeaseState.DELETED
    renewed, effects = go(state, RenewAsked(EXPIRES + DAY, SIGNED_OFFER, EXPIRES + 5))
    assert (renewed.at, renewed.grace_until) == (LeaseState.STORED, 0)
    assert effects[0] == Hold(EXPIRES + DAY + GRACE_SECONDS)


def test_a_renewal_follows_the_term_under_the_new_offer() -> None:
    new = offered(price_byte_second=5)
    state, effects = go(STORED, RenewAsked(EXPIRES + DAY, new, EXPIRES - 100))
    assert state.receipt is not None
    assert (state.receipt.starts_at, state.receipt.expires_at) == (EXPIRES, EXPIRES + DAY)
    assert (state.receipt.offer_hash, state.receipt.price_byte_second) == (new.digest, 5)
    # The day before was not charged yet; then the renewal's first bill, at once.
    assert effects[1:] == (Charge(1, DAY * RATE),)
    assert go(state, Charged(1))[1] == (Charge(TERM_BILLS, DAY * 5 * SEALED_BYTES),)
    shorter = RenewAsked(EXPIRES, SIGNED_OFFER, EXPIRES - 100)
    assert go(STORED, shorter)[0] == STORED
    unpaid = replace(GRACE, is_unpaid=True)
    assert go(unpaid, RenewAsked(EXPIRES + DAY, new, EXPIRES))[0] == unpaid


@pytest.mark.parametrize("event", [Given(), Lost("a block is damaged")])
def test_what_is_not_wanted_or_not_there_is_deleted(event: Any) -> None:
    for state in LABELLED.values():
        after, _ = go(state, event)
        assert after.at is LeaseState.DELETED
        if not state.is_closed:
            assert go(after, Dropped())[0].is_closed
            assert go(after, TimedOut())[1] == (Drop(),)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b'"format":1', b'"format":9', "format 9"),
        (b'"at":5', b'"at":50', "cannot be read"),
        (b'"blocks":5', b'"blocks":0', "no blocks"),
        (b'"received":5', b'"received":-5', "received out of range"),
    ],
)
def test_a_record_that_was_not_written_so_is_refused(old: bytes, new: bytes, what: str) -> None:
    data = MACHINE.encode(STORED)
    assert old in data
    with pytest.raises(BadEncoding, match=what):
        MACHINE.decode(data.replace(old, new, 1))


@pytest.mark.parametrize(
    "changes", [{"receipt": None}, {"terms": ()}, {"root": b""}, {"root": b"\x01"}]
)
def test_a_stored_lease_without_its_receipt_or_root_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadEncoding, match=r"receipt|root"):
        MACHINE.decode(MACHINE.encode(replace(STORED, **changes)))
