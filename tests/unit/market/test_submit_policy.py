"""Proofs go alone or together, whichever is cheaper, and never wait for too long."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.chain.terms import NO_EXTENSIONS
from quire.market.submit_policy import (
    BATCH_MAX,
    GATHERED_MAX,
    GATHERING,
    SINGLE_GAS,
    Ready,
    SendPlan,
    gas_of,
    own_turn,
    plan_sending,
    promise_until,
)
from support.market_terms import TERMS
from support.source import ROOT

ALONE_ONLY = replace(TERMS, extensions=NO_EXTENSIONS)
SEND = 10.0


def ready(number: int, latest: float = 1000.0) -> Ready:
    return Ready(number.to_bytes(32, "big"), 7, bytes(32), b"proof", latest, 850.0)


def test_a_contract_without_batches_gets_each_proof_at_once() -> None:
    plan = plan_sending([ready(1), ready(2, latest=900.0)], 5, 0.0, SEND, ALONE_ONLY)
    assert plan.now == ((ready(2, latest=900.0),), (ready(1),))
    assert plan.again_at is None


def test_a_proof_waits_for_others_that_are_coming() -> None:
    plan = plan_sending([ready(1), ready(2, latest=900.0)], 1, 860.0, SEND, TERMS)
    assert plan.now == ()
    assert plan.again_at == 880.0  # two more transactions fit before the first has to be sent
    assert plan_sending([ready(1)], 1, 0.0, SEND, TERMS).again_at == 880.0  # a quarter of a period


def test_it_waits_no_longer_when_nobody_is_coming() -> None:
    assert plan_sending([ready(1)], 0, 0.0, SEND, TERMS).now == ((ready(1),),)
    both = plan_sending([ready(1), ready(2)], 0, 0.0, SEND, TERMS)
    assert both.now == ((ready(1), ready(2)),)


def test_it_waits_no_longer_when_time_is_short() -> None:
    assert plan_sending([ready(1)], 3, 980.0, SEND, TERMS).now == ((ready(1),),)


def test_there_is_nothing_to_do_without_proofs() -> None:
    assert plan_sending([], 3, 0.0, SEND, TERMS).again_at is None


@given(st.integers(1, 200), st.integers(0, 5), st.floats(0, 2000))
def test_every_proof_is_sent_once_in_groups_that_fit_a_block(count, coming, now) -> None:
    all_of_them = [ready(number) for number in range(count)]
    plan = plan_sending(all_of_them, coming, now, SEND, TERMS)
    sent = [each for group in plan.now for each in group]
    held = 0 if plan.again_at is None else count % BATCH_MAX
    assert sent == all_of_them[: count - held]
    assert plan.again_at is None or now < plan.again_at
    assert all(1 <= len(group) <= BATCH_MAX for group in plan.now)


def test_what_fills_a_batch_goes_and_the_rest_waits() -> None:
    plan = plan_sending([ready(n) for n in range(BATCH_MAX + 3)], 1, 860.0, SEND, TERMS)
    assert [len(group) for group in plan.now] == [BATCH_MAX]
    assert plan.again_at == 880.0


def test_what_somebody_else_may_send_waits_for_its_turn() -> None:
    held = replace(ready(1), not_before=900.0)
    assert plan_sending([held], 0, 860.0, SEND, TERMS) == SendPlan((), 900.0)
    both = plan_sending([held, ready(2)], 0, 860.0, SEND, TERMS)
    assert both == SendPlan(((ready(2),),), 900.0)
    alone = plan_sending([held, ready(2)], 0, 860.0, SEND, ALONE_ONLY)
    assert alone == SendPlan(((ready(2),),), 900.0)
    assert plan_sending([held], 0, 900.0, SEND, TERMS).now == ((held,),)


def test_slots_of_one_host_go_side_by_side() -> None:
    made = [replace(ready(n), kin=bytes([n % 2])) for n in range(6)]
    [group] = plan_sending(made, 0, 1000.0, SEND, TERMS).now
    assert [each.kin[0] for each in group] == [0, 0, 0, 1, 1, 1]


def test_who_submits_for_others_waits_a_block_even_when_nobody_is_known_to_come() -> None:
    def gathered(coming: int, now: float) -> SendPlan:
        return plan_sending([ready(1), ready(2)], coming, now, SEND, TERMS, GATHERING)

    assert gathered(0, 850.0) == SendPlan((), 855.0)
    assert gathered(0, 855.0).now == ((ready(1), ready(2)),)
    assert gathered(3, 900.0) == SendPlan((), 950.0)
    assert gathered(3, 950.0).now == ((ready(1), ready(2)),)


def test_who_submits_for_others_has_time_to_try_again_before_it_is_the_host_s_turn() -> None:
    for period, send in ((120, 12.0), (120, 4.0), (3600, 24.0), (60, 15.0)):
        terms = replace(TERMS, period=period)
        end = terms.period_end(100)
        latest = end - send
        begun = terms.period_start(100) + 1.0
        one = replace(ready(1, latest), period=100, since=begun)
        plan = plan_sending([one], 9, begun, send, terms, GATHERING)
        sends_at = begun if plan.again_at is None else plan.again_at
        tries = (own_turn(latest, send) - sends_at) / send
        assert tries >= 3 or sends_at == begun
        assert promise_until(100, terms) == end - 0.4 * period


@given(st.integers(1, 200), st.integers(0, 5), st.floats(800, 1100))
def test_no_proof_waits_beyond_its_time(count: int, coming: int, now: float) -> None:
    made = [ready(number, 1000.0 + number) for number in range(count)]
    plan = plan_sending(made, coming, now, SEND, TERMS, GATHERING)
    assert all(len(group) <= GATHERED_MAX for group in plan.now)
    if now >= 1000.0 - GATHERING.tries_kept * SEND:
        assert sum(map(len, plan.now)) == count


@given(st.integers(1, 100))
def test_a_batch_is_never_dearer_than_its_proofs_alone(count: int) -> None:
    assert gas_of(count, TERMS) <= count * SINGLE_GAS == gas_of(count, ALONE_ONLY)


def test_a_batch_of_32_costs_less_than_70_thousand_gas_a_proof() -> None:
    assert gas_of(32, TERMS) / 32 <= 70_000


def test_what_proofs_cost_together_and_alone_is_what_was_measured() -> None:
    gas = json.loads((ROOT / "contracts" / "gas.json").read_text())
    assert gas_of(1, TERMS) == pytest.approx(gas["submitProof, real proof"], rel=0.01)
    for count in (4, 8, 16, 32, 64):
        assert gas_of(count, TERMS) == pytest.approx(gas[f"submitProofs, {count}"], rel=0.01)
