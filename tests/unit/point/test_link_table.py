"""The whole table of the link machine: every state with every event."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from quire.point.choice_port import Outcome
from quire.point.link import ENDS, HELD, At, LinkState
from quire.point.link_effects import Close, Pay
from quire.point.link_events import Release
from quire.point.link_moves import work
from support.link_kit import MACHINE, NOW
from support.link_page import EVENTS, LABELLED

STATES = pytest.mark.parametrize("state", LABELLED.values(), ids=LABELLED)
OURS = (
    "Failed Fund: too few tokens",
    "Failed Fund: reverted",
    "Failed Pay: channel too small",
    "Failed Seal",
    "Funded",
    "Room, too little",
)
PROMISING = (At.PAYING, *HELD)


def steps(state: LinkState) -> Iterator[tuple[str, LinkState, object]]:
    for name, event in EVENTS.items():
        yield name, *MACHINE.step(state, event)


def test_the_names_are_those_of_the_seed() -> None:
    names = [
        "CREATED",
        "AGREED",
        "ESTABLISH_PAYMENT_CHANNEL",
        "ENCRYPTING",
        "ENCRYPTED",
        "SENDING_SEGMENT_MAP",
        "SENDING_DATA",
        "DATA_RECEIVED",
        "ASKING_FOR_SIGNATURE",
        "PAYING",
        "SIGNED",
        "RENEWING",
        "FAILED",
        "LOST",
        "EXPIRED",
        "RELEASED",
    ]
    assert [at.value for at in At] == names
    assert {MACHINE.name(state) for state in LABELLED.values()} == set(names)


@STATES
def test_every_event_leads_to_a_sound_state(state: LinkState) -> None:
    for name, after, effects in steps(state):
        assert MACHINE.decode(MACHINE.encode(after)) == after, name
        assert after.order == state.order, name
        assert MACHINE.words(after), name
        assert (MACHINE.deadline(after) is None) == MACHINE.has_ended(after), name
        if state.at in ENDS:
            assert (after.at, list(effects)) == (state.at, []), name
        if after.at in ENDS and state.at not in ENDS:
            assert list(effects) == [Close()], name
            assert after.why, name


@STATES
def test_nothing_is_paid_without_a_checked_receipt(state: LinkState) -> None:
    for name, after, effects in steps(state):
        for effect in effects:
            if isinstance(effect, Pay):
                assert after.receipt is not None, name
                assert after.at in PROMISING, name
                due = [bill for term in after.terms if (bill := term.unsettled())]
                assert (effect.number, effect.amount) in [(x.number, x.amount) for x in due], name
        if after.receipt != state.receipt:
            assert name.startswith("Signed")
        if after.terms != state.terms:
            assert name.startswith(("Signed", "Paid"))


@STATES
def test_what_is_asked_in_a_state_is_asked_again_after_a_restart(state: LinkState) -> None:
    """A link whose node was killed between a step and its effects does the same as one whose was
    not; what it asks besides (the time, a place to leave, a word to the choice) it can do without.
    """
    for name, after, effects in steps(state):
        waited = {type(effect).__name__ for effect in effects} - {"ReadClock", "Report"}
        resumed = {type(effect).__name__ for effect in MACHINE.resume(after)}
        assert waited <= resumed, name
        if after.at is not state.at and after.at not in HELD:
            assert waited == resumed, name


@STATES
def test_every_state_asks_for_something_or_waits_for_a_time(state: LinkState) -> None:
    if MACHINE.has_ended(state):
        return
    deadline = MACHINE.deadline(state)
    assert deadline is not None
    assert work(state) or (deadline.chain_time or 0) >= NOW


@STATES
def test_its_owner_can_give_it_up_in_every_state(state: LinkState) -> None:
    after, effects = MACHINE.step(state, Release())
    if state.at in ENDS:
        assert (after, list(effects)) == (state, [])
    else:
        assert (after.at, list(effects)) == (At.RELEASED, [Close()])


@STATES
def test_trouble_of_our_own_is_never_blamed_on_the_provider(state: LinkState) -> None:
    for name, after, _ in steps(state):
        if name in OURS:
            assert after.outcome is state.outcome, name
        if after.outcome is Outcome.BAD_SIGNATURE:
            assert name.startswith("Signed")
