"""The comparison of contract and model finds a mistake: each of these is made in the model."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from quire.chain.dispersal import Window
from quire.chain.memory.ledger import Ledger
from quire.chain.values import RequestState
from support.contract_kit import Setup
from support.contract_twin import Twin
from support.contract_walk import Walk

MOST_STEPS = 1500
USUAL = Setup(period=10, timeout=15, downtime=16, max_slashes=2, slash=20, ttl=100)
SPREAD = USUAL.but(h_bps=5000, max_reservations=2, min_age=4)

Method = Callable[..., Any]


def pays_whoever_marks_itself(right: Method) -> Method:
    def punish(ledger: Ledger, slot_id: bytes, period: int) -> Any:
        burnable = ledger.state.burnable
        reward = right(ledger, slot_id, period)
        ledger.state.burnable = burnable
        return reward

    return punish


def forgets_that_time_is_up(right: Method) -> Method:
    def state(ledger: Ledger, request_id: bytes) -> Any:
        record = ledger.known(request_id)
        if record.state is RequestState.NEW and ledger.now == record.expires_at:
            return RequestState.CANCELLED
        return right(ledger, request_id)

    return state


def pointer_stands_still(right: Method) -> Method:
    def pointer(ledger: Ledger, slot_id: bytes, period: int | None = None) -> Any:
        return (right(ledger, slot_id, period) - ledger.block.number) % 256

    return pointer


def burns_repair_rewards_late(right: Method) -> Method:
    def withdraw(ledger: Ledger, request_id: bytes, *others: Any) -> Any:
        burnable = ledger.state.burnable
        right(ledger, request_id, *others)
        ledger.state.burnable = burnable

    return withdraw


def keeps_proofs_of_the_last_host(right: Method) -> Method:
    def evict(ledger: Ledger, slot_id: bytes) -> Any:
        received = ledger.state.slots[slot_id].received
        right(ledger, slot_id)
        ledger.state.slots[slot_id] = replace(ledger.state.slots[slot_id], received=received)

    return evict


def replaces_a_second_early(right: Method) -> Method:
    def place(ledger: Ledger, *others: Any) -> Any:
        found = right(ledger, *others)
        is_old = found is not None and found.free_from
        return replace(found, free_from=found.free_from - 1) if is_old else found

    return place


def lets_one_host_take_all(_: Method) -> Method:
    return lambda *_: 0


def reach_is_straight(_: Method) -> Method:
    def reach(window: Window, now: int) -> int:
        if now >= window.tail_from:
            return 2**256
        return max(0, now - window.start) * 2**256 // max(1, window.tail_from - window.start)

    return reach


MISTAKES = [
    (Ledger, "_punish", pays_whoever_marks_itself, USUAL),
    (Ledger, "request_state", forgets_that_time_is_up, USUAL),
    (Ledger, "pointer", pointer_stands_still, USUAL),
    (Ledger, "withdraw", burns_repair_rewards_late, USUAL),
    (Ledger, "evict", keeps_proofs_of_the_last_host, USUAL),
    (Ledger, "_next_place", replaces_a_second_early, USUAL.but(ttl=20)),
    (Ledger, "_share", lets_one_host_take_all, SPREAD),
    (Window, "reach", reach_is_straight, SPREAD),
]


@pytest.mark.parametrize(
    ("owner", "method", "mistake", "setup"), MISTAKES, ids=[row[2].__name__ for row in MISTAKES]
)
def test_a_mistake_is_found(
    owner: type,
    method: str,
    mistake: Callable[[Method], Method],
    setup: Setup,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owner, method, mistake(getattr(owner, method)))
    walk = Walk(Twin(setup), random.Random(1))
    with pytest.raises(AssertionError):
        walk.steps(MOST_STEPS)
