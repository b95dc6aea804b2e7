"""Proofs go alone or together, whichever is cheaper, and never wait for too long."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.chain.terms import NO_EXTENSIONS
from quire.market.submit_policy import BATCH_MAX, SINGLE_GAS, Ready, gas_of, plan_sending
from support.market_terms import TERMS
from support.source import ROOT

ALONE = replace(TERMS, extensions=NO_EXTENSIONS)
SEND = 10.0


def ready(number: int, latest: float = 1000.0) -> Ready:
    return Ready(number.to_bytes(32, "big"), 7, bytes(32), b"proof", latest, 850.0)


def test_a_contract_without_batches_gets_each_proof_at_once() -> None:
    plan = plan_sending([ready(1), ready(2, latest=900.0)], 5, 0.0, SEND, ALONE)
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
    assert (sent == all_of_them) if plan.again_at is None else (sent == [] and now < plan.again_at)
    assert all(1 <= len(group) <= BATCH_MAX for group in plan.now)


@given(st.integers(1, 100))
def test_a_batch_is_never_dearer_than_its_proofs_alone(count: int) -> None:
    assert gas_of(count, TERMS) <= count * SINGLE_GAS == gas_of(count, ALONE)


def test_a_batch_of_32_costs_less_than_70_thousand_gas_a_proof() -> None:
    assert gas_of(32, TERMS) / 32 <= 70_000


def test_what_proofs_cost_together_and_alone_is_what_was_measured() -> None:
    gas = json.loads((ROOT / "contracts" / "gas.json").read_text())
    assert gas_of(1, TERMS) == pytest.approx(gas["submitProof, real proof"], rel=0.01)
    for count in (2, 4, 8, 16, 32):
        assert gas_of(count, TERMS) == pytest.approx(gas[f"submitProofs, {count}"], rel=0.01)
