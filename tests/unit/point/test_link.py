"""The steps of a link until it is signed, one rule of the specification after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from quire.base.errors import (
    ChannelTooSmall,
    InsufficientFunds,
    Reverted,
    VoucherRefused,
)
from quire.base.machine import Failed, TimedOut
from quire.point.choice_port import Outcome
from quire.point.link import At, missing_blocks
from quire.point.link_effects import (
    AskOffer,
    AskSignature,
    Audit,
    Close,
    Fund,
    LeaveSlot,
    Look,
    Pay,
    ReadClock,
    Report,
    Reserve,
    Seal,
    SendData,
    SendMap,
    TakeSlot,
)
from quire.point.link_events import (
    Acked,
    Audited,
    Funded,
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
from quire.point.link_machine import SECONDS
from quire.point.link_moves import backoff, first_amount
from quire.point.link_setup import ATTEMPTS, SETBACKS_MAX
from quire.point.receipt import SKEW_SECONDS
from quire.point.values import Code
from support.link_kit import (
    LINK_ID,
    MACHINE,
    NOW,
    ROOT,
    go,
    link,
    offered,
    receipt,
)
from support.link_page import ALL, BUDGET, LABELLED, NEW


def test_the_way_of_a_link() -> None:
    """CREATED to SIGNED, with what is done in each state."""
    state, seen = link(), []
    assert list(MACHINE.resume(state)) == [Reserve()]
    for event in (
        Reserved(), Room(0), Funded(), Room(1 << 90), Sealed(ROOT), SlotTaken(), Mapped(b""),
        Acked(b"\x07"), Acked(ALL), SlotLeft(),
    ):  # fmt: skip
        state, effects = MACHINE.step(state, event)
        seen.append((state.at.value, *effects))
    assert seen == [
        ("AGREED", Look()),
        ("ESTABLISH_PAYMENT_CHANNEL", Fund(first_amount(state))),
        ("AGREED", Look()),
        ("ENCRYPTING", Seal()),
        ("ENCRYPTED", TakeSlot()),
        ("SENDING_SEGMENT_MAP", SendMap()),
        ("SENDING_DATA", SendData()),
        ("SENDING_DATA",),
        ("DATA_RECEIVED", LeaveSlot()),
        ("ASKING_FOR_SIGNATURE", AskSignature()),
    ]
    state, effects = MACHINE.step(state, Signed(receipt(state), NOW + 60))
    assert (state.at, effects) == (At.PAYING, (Pay(0, first_amount(state)),))
    state, effects = MACHINE.step(state, Paid(0, 123, NOW + 61))
    assert (state.at, effects) == (At.SIGNED, (Report(Outcome.KEPT),))
    assert state.voucher_sum == 123
    assert state.is_held


@pytest.mark.parametrize(
    ("name", "effect"),
    [
        ("CREATED", Reserve),
        ("SENDING_SEGMENT_MAP", SendMap),
        ("DATA_RECEIVED, to be audited", Audit),
        ("ASKING_FOR_SIGNATURE", AskSignature),
        ("PAYING", Pay),
    ],
)
def test_a_question_is_asked_so_often_and_later_each_time(name: str, effect: Any) -> None:
    state = LABELLED[name]
    most = ATTEMPTS[state.at]
    pauses = []
    for _ in range(most - 1):
        asked = MACHINE.resume(state)[0]
        assert isinstance(asked, effect)
        state, effects = MACHINE.step(state, NoAnswer(asked))
        pauses.append(effects[0].pause)
    assert state.is_live
    for attempt, pause in enumerate(pauses):
        seconds = min(60.0, 2.0**attempt)
        assert 0.75 * seconds <= pause <= 1.25 * seconds
    state, effects = MACHINE.step(state, NoAnswer(MACHINE.resume(state)[0]))
    assert (state.at, state.outcome, effects) == (At.FAILED, Outcome.SILENT, (Close(),))


def test_back_off_differs_from_link_to_link_and_not_from_restart_to_restart() -> None:
    assert backoff(LINK_ID, 0) == 0.0
    assert backoff(LINK_ID, 3) == backoff(LINK_ID, 3)
    assert len({backoff(bytes([n]) * 16, 3) for n in range(50)}) > 10
    assert backoff(LINK_ID, 10**6) <= 75.0


def test_a_busy_provider_is_waited_for_without_counting() -> None:
    state = LABELLED["SENDING_SEGMENT_MAP"]
    for _ in range(20):
        after, effects = MACHINE.step(state, Refused(SendMap(), Code.BUSY, retry_after=7.5))
        assert (after, effects) == (state, (SendMap(pause=7.5),))
    state, _ = MACHINE.step(state, TimedOut())  # its state has a deadline all the same
    assert state.at is At.FAILED


@pytest.mark.parametrize("code", [Code.REFUSED, Code.NO_SPACE, Code.CONFLICT, Code.EXPIRED])
def test_a_refusal_ends_the_link_and_nothing_was_paid(code: Code) -> None:
    state, effects = go(NEW, Refused(Reserve(), code, "no"))
    assert (state.at, state.outcome, effects) == (At.FAILED, Outcome.REFUSED, (Close(),))
    assert code.name in state.why
    assert state.voucher_sum == 0


def test_another_price_is_asked_for_once_and_taken_within_the_budget() -> None:
    state, effects = go(NEW, Refused(Reserve(), Code.PRICE))
    assert effects == (AskOffer(),)
    assert list(MACHINE.resume(state)) == [AskOffer()]
    new = offered(price_byte_second=5)
    agreed, effects = go(state, Offered(new))
    assert (agreed.offer, effects) == (new, (Reserve(),))
    again, _ = go(agreed, Refused(Reserve(), Code.PRICE))
    assert (again.at, again.outcome) == (At.FAILED, Outcome.REFUSED)
    dear, _ = go(state, Offered(offered(price_byte_second=10**6)))
    assert (dear.at, dear.outcome) == (At.FAILED, Outcome.REFUSED)
    assert "PRICE" in dear.why


def test_the_first_offer_is_not_above_the_budget_either() -> None:
    dear = replace(NEW, order=replace(NEW.order, budget=BUDGET // 100))
    assert go(dear, Reserved())[0].at is At.FAILED


def test_the_way_to_the_channel_leads_back() -> None:
    for name, at in (("from AGREED", At.AGREED), ("from PAYING", At.PAYING)):
        state = LABELLED[f"ESTABLISH_PAYMENT_CHANNEL, {name}"]
        assert go(state, Funded())[0].at is at
    state, _ = go(LABELLED["PAYING"], Failed(Pay(0, 1), ChannelTooSmall("no room")))
    assert (state.at, state.back) == (At.ESTABLISH_PAYMENT_CHANNEL, At.PAYING)
    assert go(state, Funded())[1] == (Pay(0, first_amount(state)),)  # the same bill


def test_an_empty_wallet_pauses_the_link_until_there_is_money() -> None:
    state, effects = go(
        LABELLED["ESTABLISH_PAYMENT_CHANNEL, from AGREED"],
        Failed(Fund(1), InsufficientFunds("the wallet has 3, 5 are needed")),
    )
    assert (state.is_paused, list(effects)) == (True, [])
    assert state.why.startswith("FUNDS")
    deadline = MACHINE.deadline(state)
    assert deadline is not None
    assert deadline.after_seconds == 60.0
    again, effects = go(state, TimedOut())
    assert (again, set(effects)) == (state, {Fund(first_amount(state)), ReadClock()})
    assert go(state, Retry())[1] == (Fund(first_amount(state)),)
    assert go(state, Now(state.order.expires_at - 1))[0] == state
    assert go(state, Now(state.order.expires_at))[0].at is At.FAILED
    assert go(state, Funded())[0].is_paused is False


def test_a_transaction_that_is_reverted_ends_the_link() -> None:
    state, _ = go(
        LABELLED["ESTABLISH_PAYMENT_CHANNEL, from AGREED"], Failed(Fund(1), Reverted("no"))
    )
    assert (state.at, state.outcome) == (At.FAILED, None)
    assert state.why.startswith("FUNDS")


def test_what_is_stored_already_is_audited_before_it_is_paid() -> None:
    """Scenarios 5 and 6."""
    state, effects = go(LABELLED["SENDING_SEGMENT_MAP"], Refused(SendMap(), Code.ALREADY_STORED))
    assert (state.at, effects) == (At.DATA_RECEIVED, (Audit(),))
    assert go(state, SlotLeft())[0] == state
    good, effects = go(state, Audited(True, NOW))
    assert effects == (LeaveSlot(),)
    assert go(good, SlotLeft())[0].at is At.ASKING_FOR_SIGNATURE
    for event in (Audited(False, NOW), Refused(Audit(), Code.NOT_FOUND)):
        lie, _ = go(state, event)
        assert (lie.at, lie.outcome, lie.voucher_sum) == (At.FAILED, Outcome.LOST, 0)


def test_blocks_that_were_not_acked_are_a_claim_that_is_audited() -> None:
    state, effects = go(LABELLED["SENDING_SEGMENT_MAP"], Mapped(ALL))
    assert (state.at, effects) == (At.DATA_RECEIVED, (Audit(),))
    sent, effects = go(LABELLED["SENDING_SEGMENT_MAP"], Mapped(b""), Acked(ALL))
    assert (sent.at, effects) == (At.DATA_RECEIVED, (LeaveSlot(),))


def test_a_forgotten_reservation_is_made_again_once() -> None:
    for name, effect in (
        ("SENDING_SEGMENT_MAP", SendMap()),
        ("SENDING_DATA", SendData()),
        ("ASKING_FOR_SIGNATURE", AskSignature()),
    ):
        state, effects = go(LABELLED[name], Refused(effect, Code.UNKNOWN_LINK))
        assert (state.at, effects, state.acked) == (At.CREATED, (Reserve(),), b"")
        assert state.order.link_id == LINK_ID
        again = replace(LABELLED[name], is_reserved_again=True)
        assert go(again, Refused(effect, Code.UNKNOWN_LINK))[0].at is At.FAILED


def test_one_bad_block_is_sent_again_and_twice_the_same_is_too_often() -> None:
    state, effects = go(LABELLED["SENDING_DATA"], Refused(SendData(), Code.BAD_HASH, index=3))
    assert (state.at, effects) == (At.SENDING_DATA, (SendData(),))
    other, _ = go(state, Refused(SendData(), Code.BAD_HASH, index=4))
    assert other.at is At.SENDING_DATA
    assert go(other, Refused(SendData(), Code.BAD_HASH, index=3))[0].at is At.FAILED


def test_progress_gives_the_data_new_time() -> None:
    state = LABELLED["SENDING_DATA"]
    before, after = MACHINE.deadline(state), MACHINE.deadline(go(state, Acked(b"\x07"))[0])
    assert before is not None
    assert after is not None
    assert before.after_seconds == after.after_seconds == SECONDS[At.SENDING_DATA] == 120.0
    assert before.mark != after.mark
    assert go(state, Acked(b"\x01"))[0] == state  # nothing new
    stalled, _ = go(state, TimedOut())
    assert (stalled.at, stalled.outcome) == (At.FAILED, Outcome.SILENT)


def test_what_is_missing_is_sent_and_a_provider_that_never_has_enough_is_left() -> None:
    state = LABELLED["ASKING_FOR_SIGNATURE"]
    for _ in range(SETBACKS_MAX):
        state, effects = go(state, Refused(AskSignature(), Code.INCOMPLETE, have=b"\x0f"))
        assert (state.at, effects) == (At.SENDING_DATA, (SendData(),))
        assert missing_blocks(state) == [4]
        state, _ = go(state, Acked(ALL), SlotLeft())
        assert state.at is At.ASKING_FOR_SIGNATURE
    state, _ = go(state, Refused(AskSignature(), Code.INCOMPLETE, have=b"\x0f"))
    assert (state.at, state.outcome) == (At.FAILED, Outcome.BAD_DATA)


def test_without_a_map_the_map_is_sent_again() -> None:
    state, effects = go(LABELLED["SENDING_DATA"], Refused(SendData(), Code.NOT_FOUND))
    assert (state.at, effects) == (At.SENDING_SEGMENT_MAP, (SendMap(),))


def test_a_provider_that_sees_no_room_in_the_channel_gets_more_of_it() -> None:
    state = LABELLED["SENDING_SEGMENT_MAP"]
    amounts = []
    for _ in range(SETBACKS_MAX):
        state, effects = go(state, Refused(SendMap(), Code.PAYMENT_REQUIRED))
        assert state.at is At.ESTABLISH_PAYMENT_CHANNEL
        amounts.append(effects[0].amount)
        state, effects = go(state, Funded())
        assert state.at is At.SENDING_SEGMENT_MAP
    assert amounts == [first_amount(state) * times for times in range(2, SETBACKS_MAX + 2)]
    assert go(state, Refused(SendMap(), Code.PAYMENT_REQUIRED))[0].at is At.FAILED


@pytest.mark.parametrize(
    "changes",
    [
        {"sealed_root": b"\x01" * 32},
        {"expires_at": NOW + 5},
        {"price_byte_second": 4},
        {"starts_at": NOW - SKEW_SECONDS - 1},
        {"key": b"\x44" * 32},
    ],
)
def test_a_bad_receipt_ends_the_link_unpaid(changes: dict[str, Any]) -> None:
    """Scenario 4."""
    state = LABELLED["ASKING_FOR_SIGNATURE"]
    after, effects = go(state, Signed(receipt(state, **changes), NOW + 60))
    assert (after.at, after.outcome) == (At.FAILED, Outcome.BAD_SIGNATURE)
    assert (after.receipt, after.voucher_sum, effects) == (None, 0, (Close(),))
    assert after.why.startswith("BAD_SIGNATURE")


def test_a_refused_voucher_is_tried_once_more_after_a_look_at_the_chain() -> None:
    for event in (
        Refused(Pay(0, 1), Code.OVERDRAWN),
        Refused(Pay(0, 1), Code.BAD_VOUCHER),
        Failed(Pay(0, 1), VoucherRefused("no")),
    ):
        state, effects = go(LABELLED["PAYING"], event)
        assert (state.at, effects) == (
            At.ESTABLISH_PAYMENT_CHANNEL,
            (Fund(first_amount(state)),),
        )
        state, _ = go(state, Funded(), event)
        assert state.at is At.FAILED
