"""A purchase goes where the chain says, withdraws what is left, and pays once."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from quire.base.errors import BadEncoding, Reverted
from quire.base.machine import Failed, TimedOut
from quire.chain.values import RequestState
from quire.market.purchase import (
    At,
    Changed,
    Keep,
    Look,
    NotThere,
    Purchase,
    PurchaseMachine,
    Release,
    Rewound,
    Submit,
    Withdraw,
    Withdrawn,
)
from support.machine_page import pages
from support.purchase_page import EVENTS, NEW, REQUEST, STATES, label, seen

MACHINE = PurchaseMachine()
PAIRS = [
    pytest.param(state, event, id=f"{label(state)} - {name}")
    for state, (name, event) in product(STATES, EVENTS.items())
]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.machine.kind)
def test_the_page_of_a_machine_is_current(page) -> None:
    assert page.path.read_text() == page.text(), "python -m support.machine_page writes it"


def test_every_state_of_the_reference_has_an_example() -> None:
    assert {MACHINE.name(state) for state in STATES} == {
        *("pending", "submitted", "started", "finished", "failed", "cancelled", "errored"),
        "unknown",
    }


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_every_pair_leads_to_a_sound_state(state, event) -> None:
    after, effects = MACHINE.step(state, event)
    assert MACHINE.decode(MACHINE.encode(after)) == after
    assert after.request_id == state.request_id
    assert MACHINE.words(after)
    assert (MACHINE.deadline(after) is None) == MACHINE.has_ended(after)
    if Submit() in effects or after.at is At.PENDING:
        assert after.request is not None
        assert state.at in (At.PENDING, At.SUBMITTED, At.STARTED)  # never once it was over
    if MACHINE.has_ended(after):
        assert set(effects) <= {Release(), Look()}
    if Release() in effects:
        assert MACHINE.has_ended(after)
    if MACHINE.has_ended(after) and not MACHINE.has_ended(state):
        assert Release() in effects
    if state.is_withdrawn and not isinstance(event, Rewound):
        assert (after, list(effects)) == (state, [])


@pytest.mark.parametrize("state", STATES, ids=label)
def test_a_restart_goes_on_with_what_the_state_waits_for(state) -> None:
    expected = {
        At.PENDING: Submit(),
        At.SUBMITTED: Look(),
        At.STARTED: Look(),
        At.UNKNOWN: Look(),
        At.ERRORED: Release(),
    }.get(state.at, Release() if state.is_withdrawn else Withdraw())
    assert list(MACHINE.resume(state)) == [expected]


def through(*events: object, state: Purchase = NEW) -> Purchase:
    for event in events:
        state, _ = MACHINE.step(state, event)
    return state


@pytest.mark.parametrize(
    ("ends", "at"),
    [
        (RequestState.FINISHED, At.FINISHED),
        (RequestState.CANCELLED, At.CANCELLED),
        (RequestState.FAILED, At.ERRORED),
    ],
)
def test_ways_to_the_end(ends, at) -> None:
    assert through(seen(RequestState.NEW)).at is At.SUBMITTED
    over = through(seen(RequestState.NEW), seen(ends), Withdrawn())
    assert (over.at, over.is_withdrawn) == (at, True)
    assert over.error == ("Purchase failed" if ends is RequestState.FAILED else "")


def test_a_request_that_started_before_anybody_looked_is_not_missed() -> None:
    assert through(seen(RequestState.STARTED)).at is At.STARTED


def test_a_block_that_is_taken_back_takes_the_request_back_and_it_is_sent_again() -> None:
    submitted = through(seen(RequestState.NEW))
    made = submitted.expires_at - REQUEST.expiry
    for age in (-3600, 0, 3600):
        assert MACHINE.step(submitted, NotThere(made + age)) == (NEW, [Submit()])


@pytest.mark.parametrize("age", [-3601, 3601, 10**6])
def test_one_that_another_chain_does_not_know_is_never_sent_there(age) -> None:
    submitted = through(seen(RequestState.NEW))
    made = submitted.expires_at - REQUEST.expiry
    state, effects = MACHINE.step(submitted, NotThere(made + age))
    assert (state.at, effects) == (At.ERRORED, [Release()])
    assert "is this the chain on which it was made?" in MACHINE.words(state)


def test_a_withdrawal_that_is_taken_back_is_made_again() -> None:
    for ends in (RequestState.FINISHED, RequestState.FAILED):
        over = through(seen(ends), Withdrawn())
        state, effects = MACHINE.step(over, Rewound())
        assert effects == [Withdraw()]
        assert through(Withdrawn(), state=state) == over


def test_a_withdrawal_that_fails_is_told_and_tried_again() -> None:
    state = through(seen(RequestState.FINISHED), Failed(Withdraw(), Reverted("not now")))
    assert (state.at, state.error) == (At.FINISHED, "not now")
    assert "not now" in MACHINE.words(state)
    assert MACHINE.step(state, TimedOut()) == (state, [Withdraw()])
    again, effects = MACHINE.step(state, seen(RequestState.FINISHED))
    assert (again, effects) == (state, [Withdraw()])
    assert through(Withdrawn(), state=again).error == ""


def test_one_that_was_given_up_and_came_to_the_chain_all_the_same_goes_on() -> None:
    given_up = through(TimedOut())
    assert (given_up.at, given_up.is_withdrawn) == (At.ERRORED, False)
    assert MACHINE.step(given_up, Changed()) == (given_up, [Look()])
    state, effects = MACHINE.step(given_up, seen(RequestState.NEW))
    assert (state.at, state.error, effects) == (At.SUBMITTED, "", [Keep()])


def test_one_that_only_the_chain_knows_takes_its_request_from_there() -> None:
    state = through(seen(RequestState.STARTED), state=Purchase(NEW.request_id, At.UNKNOWN))
    assert (state.at, state.request) == (At.STARTED, REQUEST)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"\xff",
        b'{"more":' + b"[" * 100_000,
        MACHINE.encode(NEW)[:-2],
        MACHINE.encode(NEW).replace(b"pending", b"dreaming"),
        MACHINE.encode(replace(NEW, request=None)),
        MACHINE.encode(replace(NEW, request_id=b"short")),
        MACHINE.encode(NEW).replace(b'"slots":6', b'"slots":"6"'),
    ],
)
def test_what_is_no_purchase_is_refused(data) -> None:
    with pytest.raises(BadEncoding):
        MACHINE.decode(data)
