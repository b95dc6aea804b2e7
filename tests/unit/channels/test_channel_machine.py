"""Where each event leads a channel, and what its records refuse."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from quire.base.errors import BadEncoding, InsufficientFunds
from quire.base.machine import Failed, TimedOut
from quire.chain.hub import HubChannel
from quire.channels.channel import (
    At,
    Bill,
    Channel,
    Close,
    Finish,
    Fund,
    Look,
    Promise,
    Release,
    RequestClose,
    Seen,
    Shown,
    TopUp,
)
from quire.channels.channel_machine import ChannelMachine, bill_of
from quire.channels.channel_record import decode_bill, decode_channel, encode_bill, encode_channel
from quire.channels.voucher import MAX_CUMULATIVE

PAYEE = bytes([7]) * 20
MACHINE = ChannelMachine()
OPEN = Channel(PAYEE, promised=30, seen=HubChannel(100, 20))
TOPPING = replace(OPEN, at=At.TOPPING_UP, least=150, want=400)
CHALLENGE = replace(OPEN, at=At.CHALLENGE, seen=HubChannel(100, 20, 5_000))
CLOSING, RELEASING = replace(OPEN, at=At.CLOSING), replace(CHALLENGE, at=At.RELEASING)
RELEASED = replace(OPEN, at=At.RELEASED, seen=HubChannel(20, 20))
ALL = (OPEN, TOPPING, CHALLENGE, CLOSING, RELEASING, RELEASED)


def after(state, *events):
    effects = []
    for event in events:
        state, effects = MACHINE.step(state, event)
    return state, list(effects)


def test_a_promise_raises_the_sum_and_has_its_bill_in_the_same_step():
    state, effects = after(OPEN, Promise("a/0", 70))
    assert (state.promised, state.room, effects) == (100, 0, [])
    assert bill_of(OPEN, state) == Bill("a/0", PAYEE, 70, 100)


@pytest.mark.parametrize(
    "event",
    [
        Promise("a/0", 71),
        Promise("a/0", -1),
        Promise("a/0", 5, 6),
        Promise("a/0", 5, -1),
        Promise("a/0", 5, 1),  # nothing was taken over that could cover it
    ],
)
def test_a_promise_without_room_or_reason_changes_nothing(event):
    assert after(OPEN, event) == (OPEN, [])


def test_no_promise_goes_beyond_what_a_voucher_can_say():
    rich = Channel(PAYEE, promised=MAX_CUMULATIVE, seen=HubChannel(MAX_CUMULATIVE + 10))
    assert after(rich, Promise("a/0", 1)) == (rich, [])


@pytest.mark.parametrize("state", [CHALLENGE, CLOSING, RELEASING, RELEASED])
def test_a_channel_that_closes_promises_nothing(state):
    assert state.room == 0
    assert after(state, Promise("a/0", 1)) == (state, [])


def test_a_channel_that_is_topped_up_goes_on_promising_what_it_has():
    state, _ = after(TOPPING, Promise("a/0", 70))
    assert (state.promised, state.at) == (100, At.TOPPING_UP)


@pytest.mark.parametrize("state", ALL)
@pytest.mark.parametrize("event", [Shown(45), Seen(HubChannel(100, 45))])
def test_what_is_shown_to_be_promised_is_taken_over_in_every_state(state, event):
    now, _ = after(state, event)
    assert (now.promised, now.taken_over) == (45, 15)


@pytest.mark.parametrize("state", ALL)
def test_what_was_promised_never_falls(state):
    for event in (Shown(3), Seen(HubChannel()), TimedOut(), Fund(0, 0), Close(), Finish()):
        assert after(state, event)[0].promised >= state.promised


def test_a_bill_is_covered_by_what_was_taken_over():
    state, _ = after(OPEN, Shown(50), Promise("a/0", 30, 20))
    assert (state.promised, state.taken_over) == (60, 0)
    assert state.newest == Bill("a/0", PAYEE, 30, 60)


def test_funding_writes_the_deposit_that_is_to_be_reached_first():
    state, effects = after(OPEN, Fund(100, 500))
    assert (state.at, state.least, state.want) == (At.TOPPING_UP, 130, 530)
    assert effects == [TopUp()]
    assert MACHINE.resume(state) == [TopUp()]


def test_funding_what_has_room_does_nothing():
    assert after(OPEN, Fund(70, 500)) == (OPEN, [])


def test_a_top_up_that_is_under_way_grows_and_does_not_shrink():
    state, effects = after(TOPPING, Fund(200, 300))
    assert (state.least, state.want, effects) == (230, 400, [TopUp()])
    assert after(state, Fund(200, 300)) == (state, [])
    assert after(state, Fund(120, 130)) == (state, [])


def test_a_top_up_is_done_when_the_hub_shows_the_least_and_no_close():
    assert after(TOPPING, Seen(HubChannel(149, 20)))[0].at is At.TOPPING_UP
    assert after(TOPPING, Seen(HubChannel(150, 20, 9)))[0].at is At.TOPPING_UP
    state, _ = after(TOPPING, Seen(HubChannel(150, 20)))
    assert (state.at, state.least, state.want) == (At.OPEN, 0, 0)


def test_a_top_up_that_fails_or_takes_too_long_says_why_and_looks():
    state, effects = after(TOPPING, Failed(TopUp(), InsufficientFunds("no money")))
    assert (state.at, state.trouble, effects) == (At.OPEN, "no money", [Look()])
    state, effects = after(TOPPING, TimedOut())
    assert state.at is At.OPEN
    assert "no block in time" in state.trouble
    assert effects == [Look()]
    assert "no block in time" in MACHINE.words(state)


def test_closing_goes_through_the_challenge_to_the_release():
    state, effects = after(OPEN, Close())
    assert (state.at, effects) == (At.CLOSING, [RequestClose()])
    state, _ = after(state, Seen(HubChannel(100, 20, 5_000)))
    assert state.at is At.CHALLENGE
    assert MACHINE.deadline(state).chain_time == 5_000
    state, effects = after(state, TimedOut())
    assert (state.at, effects) == (At.RELEASING, [Release()])
    state, _ = after(state, Seen(HubChannel(20, 20)))
    assert state.at is At.RELEASED
    assert "10 tokens promised were not claimed" in MACHINE.words(state)


def test_a_look_while_it_is_released_leaves_it_alone_and_a_new_close_is_waited_for():
    assert after(RELEASING, Seen(HubChannel(100, 20, 5_000)))[0].at is At.RELEASING
    state, _ = after(RELEASING, Seen(HubChannel(100, 20, 9_000)))
    assert (state.at, MACHINE.deadline(state).chain_time) == (At.CHALLENGE, 9_000)


def test_what_others_did_with_the_same_account_is_seen():
    assert after(OPEN, Seen(HubChannel(100, 20, 7)))[0].at is At.CHALLENGE
    assert after(CHALLENGE, Seen(HubChannel(120, 20)))[0].at is At.OPEN
    assert after(RELEASED, Seen(HubChannel(50, 20)))[0].at is At.OPEN
    assert after(OPEN, Seen(HubChannel(100, 100)))[0].at is At.OPEN  # paid out is not released


def test_a_close_that_is_pending_is_ended_by_funding():
    state, effects = after(CHALLENGE, Fund(10, 10))
    assert (state.at, effects) == (At.TOPPING_UP, [TopUp()])


@pytest.mark.parametrize("state", [CLOSING, RELEASING])
def test_what_is_at_the_hub_is_not_disturbed(state):
    for event in (Fund(10, 10), Close(), Finish()):
        assert after(state, event) == (state, [])


@pytest.mark.parametrize("state", ALL)
def test_every_state_has_words_a_name_and_comes_back_from_its_record(state):
    assert "tokens" in MACHINE.words(state)
    assert MACHINE.name(state) == state.at.value
    assert MACHINE.decode(MACHINE.encode(state)) == state
    assert not MACHINE.has_ended(state)
    waits = MACHINE.deadline(state)
    assert (waits is None) == (state.at in (At.OPEN, At.RELEASED))


# ---- records ----

BILL = Bill("a/0", PAYEE, 7, 9)
LONG_PAYEE = "A" * 28


def channel_with(**changes):
    record = json.loads(encode_channel(replace(OPEN, newest=BILL)))
    return json.dumps({"format": 1, "channel": record["channel"] | changes}).encode()


def bill_with(**changes):
    record = json.loads(encode_bill(BILL))
    return json.dumps({"format": 1, "bill": record["bill"] | changes}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"\xff",
        b'{"format":2,"channel":' + encode_channel(OPEN)[len('{"format":1,"channel":') :],
        channel_with(payee="AAAA"),
        channel_with(promised=-1),
        channel_with(promised=1 << 128),
        channel_with(promised=5, taken_over=6),
        channel_with(at="closed"),
        channel_with(seen={"deposit": -1, "claimed": 0, "close_at": 0}),
        channel_with(seen={"deposit": 1, "claimed": 0, "close_at": 1 << 64}),
        channel_with(newest={"key": "a", "payee": "AAAA", "amount": 1, "sum": 1}),
    ],
)
def test_what_is_no_record_of_a_channel_is_refused(data):
    with pytest.raises(BadEncoding):
        decode_channel(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        bill_with(payee=""),
        bill_with(amount=-1),
        bill_with(sum=1 << 128),
        bill_with(key=7),
        json.dumps({"format": 3, "bill": json.loads(encode_bill(BILL))["bill"]}).encode(),
    ],
)
def test_what_is_no_record_of_a_bill_is_refused(data):
    with pytest.raises(BadEncoding):
        decode_bill(data)


def test_records_come_back():
    assert decode_bill(encode_bill(BILL)) == BILL
    assert decode_channel(channel_with()) == replace(OPEN, newest=BILL)
