"""The steps of a sale: every state with every event, and what must never happen."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from quire.base.errors import BadEncoding
from quire.base.machine import Failed, TimedOut
from quire.chain.values import RequestState, SlotState
from quire.market.sale import (
    BEFORE_FILL,
    CLOSING,
    HELD,
    At,
    CleanUp,
    Download,
    Fill,
    Later,
    Look,
    Prepare,
    Sale,
    Stale,
    TakeBack,
)
from quire.market.sale_machine import ATTEMPTS_MAX, SaleMachine
from support.sale_page import DEALT, END, EVENTS, EXPIRY, NEW, OURS, PROOF, STATES, label, seen

MACHINE = SaleMachine()
PAIRS = [
    pytest.param(state, event, id=f"{label(state)} - {name}")
    for state, (name, event) in product(STATES, EVENTS.items())
]


def test_the_names_are_those_of_the_reference() -> None:
    names = (
        "Unknown Preparing SlotReserving Downloading InitialProving Filling Filled Proving Payout "
        "Finished Failed Cancelled Errored Ignored"
    )
    assert {MACHINE.name(state) for state in STATES} == {f"Sale{name}" for name in names.split()}


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_every_pair_leads_to_a_sound_state(state: Sale, event: object) -> None:
    after, effects = MACHINE.step(state, event)
    assert MACHINE.decode(MACHINE.encode(after)) == after
    assert (after.slot_id, after.request_id) == (state.slot_id, state.request_id)
    assert MACHINE.words(after)
    assert (MACHINE.deadline(after) is None) == MACHINE.has_ended(after)
    if state.has_ended:
        assert (after, list(effects)) == (state, [])
    if after.at is At.FILLING:
        assert after.proof
    if after.at in (*HELD, At.DOWNLOADING, At.INITIAL_PROVING):
        assert after.deal is not None
    if after.at is At.PREPARING:
        assert not after.offer  # nothing is put aside while it waits


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_collateral_in_the_contract_is_never_forgotten(state: Sale, event: object) -> None:
    """Once we hold the slot only the word of the chain ends the sale: it is paid, or lost."""
    after, _ = MACHINE.step(state, event)
    if state.at in HELD and after.at in CLOSING:
        is_word_of_the_chain = type(event).__name__ in ("Seen", "TakenBack")
        assert is_word_of_the_chain
    is_open = state.at in (*HELD, At.CANCELLED, At.FAILED) and not state.has_ended
    if isinstance(event, Failed | TimedOut) and is_open:
        assert after.at in (*HELD, At.CANCELLED, At.FAILED)
        assert not after.has_ended
        assert MACHINE.deadline(after) is not None


@pytest.mark.parametrize("state", STATES, ids=label)
def test_a_restart_goes_on_with_what_the_state_waits_for(state: Sale) -> None:
    if state.has_ended:
        return
    effects = MACHINE.resume(state)
    assert effects
    if state.at not in (*CLOSING, At.PREPARING):
        assert effects[0] == Look()


def at(state: At, **changes: object) -> Sale:
    return replace(OURS if state in HELD else DEALT, at=state, **changes)


def test_a_deadline_that_the_chain_has_not_passed_yet_comes_again_a_second_later() -> None:
    """The state of a request changes at the first block after the second."""
    sale = at(At.PROVING)
    assert MACHINE.deadline(sale).chain_time == EXPIRY + 1
    late = replace(seen(RequestState.NEW, SlotState.FILLED, True), now=EXPIRY + 1)
    sale, effects = MACHINE.step(sale, late)
    assert not effects
    assert MACHINE.deadline(sale).chain_time == EXPIRY + 2


def test_a_request_that_started_moves_the_deadline_to_its_end() -> None:
    sale, _ = MACHINE.step(at(At.PROVING), seen(RequestState.STARTED, SlotState.FILLED, True))
    assert MACHINE.deadline(sale).chain_time == END + 1


def test_a_sale_that_is_too_early_waits_for_its_second_with_nothing_put_aside() -> None:
    sale, effects = MACHINE.step(at(At.SLOT_RESERVING), Later(EXPIRY - 5, "not yet"))
    assert (sale.at, sale.offer, sale.deal, list(effects)) == (At.PREPARING, b"", None, [])
    assert MACHINE.deadline(sale).chain_time == EXPIRY - 5
    sale, effects = MACHINE.step(sale, TimedOut())
    assert list(effects) == [Prepare()]
    assert MACHINE.deadline(sale).chain_time is None


def test_proofs_that_are_refused_again_and_again_end_the_sale() -> None:
    sale = at(At.FILLING, proof=PROOF, proof_until=EXPIRY - 9)
    for _ in range(ATTEMPTS_MAX):
        sale, _ = MACHINE.step(sale, Stale("refused"))
        assert sale.at is At.INITIAL_PROVING
        sale = replace(sale, at=At.FILLING, proof=PROOF)
    sale, effects = MACHINE.step(sale, Stale("refused"))
    assert (sale.at, list(effects)) == (At.IGNORED, [CleanUp()])


def test_a_proof_whose_period_has_ended_is_made_anew() -> None:
    sale = at(At.FILLING, proof=PROOF, proof_until=EXPIRY - 9)
    assert MACHINE.deadline(sale).chain_time == EXPIRY - 9
    sale, _ = MACHINE.step(sale, TimedOut())
    assert (sale.at, sale.proof) == (At.INITIAL_PROVING, b"")


@pytest.mark.parametrize("state", BEFORE_FILL)
def test_a_slot_that_another_filled_is_ignored_in_every_state_before(state: At) -> None:
    sale = replace(NEW if state is At.PREPARING else DEALT, at=state)
    after, effects = MACHINE.step(sale, seen(RequestState.NEW, SlotState.FILLED))
    assert (after.at, list(effects)) == (At.IGNORED, [CleanUp()])
    assert after.lost == 0


def test_what_was_not_returned_of_a_stake_is_lost() -> None:
    evicted, _ = MACHINE.step(at(At.PROVING), seen(RequestState.STARTED, SlotState.REPAIR))
    assert evicted.lost == 102_400
    finished = replace(OURS, at=At.FINISHED, returned=81_920)
    assert finished.lost == 20_480


def test_resuming_says_that_it_may_be_reserved_already() -> None:
    effects = MACHINE.resume(at(At.SLOT_RESERVING))
    assert effects[1].is_resumed


def test_each_effect_belongs_to_its_state() -> None:
    found = {state: type(MACHINE.resume(at(state))[-1]) for state in (At.DOWNLOADING, At.FILLING)}
    assert found == {At.DOWNLOADING: Download, At.FILLING: Fill}
    assert list(MACHINE.resume(at(At.PAYOUT))) == [Look(), TakeBack()]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        MACHINE.encode(NEW).replace(b'"format":1', b'"format":2'),
        MACHINE.encode(NEW).replace(b'"slot_index":1', b'"slot_index":-1'),
        MACHINE.encode(NEW).replace(b"SalePreparing", b"SaleWhatever"),
        MACHINE.encode(replace(NEW, slot_id=bytes(31))),
        MACHINE.encode(replace(NEW, request_id=bytes(33))),
        MACHINE.encode(replace(NEW, proof=bytes(255))),
        MACHINE.encode(replace(NEW, offer=bytes(1))),
        MACHINE.encode(replace(DEALT, payout=1 << 256)),
        MACHINE.encode(DEALT).replace(b'"size":1024', b'"size":-1'),
    ],
)
def test_a_record_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(BadEncoding):
        MACHINE.decode(data)
