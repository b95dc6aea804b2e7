"""Which requests have slots that wait, and when a node's turn to open them comes."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from quire.chain.events import RequestFailed, RequestFulfilled, SlotEvicted, SlotFreed
from quire.chain.terms import Extensions, LazyRepair
from quire.market.repair_turn import Waiting, is_lazy, look_seconds, turn_seconds
from support.market_terms import TERMS

A, B = b"\1" * 32, b"\2" * 32
LAZY = replace(TERMS, lazy_repair=LazyRepair(max_delay=1200))


def test_only_a_contract_with_a_delay_leaves_something_to_open() -> None:
    assert is_lazy(LAZY)
    assert not is_lazy(TERMS)
    assert not is_lazy(replace(LAZY, extensions=Extensions.DISPERSAL))


def test_the_first_loss_counts_until_the_slots_open() -> None:
    waiting = Waiting()
    assert waiting.note([SlotEvicted(A, 1), RequestFulfilled(B)], 100) == [A]
    assert waiting.note([SlotEvicted(A, 2), SlotEvicted(B, 0)], 200) == [B]
    assert waiting.lost_at == {A: 100, B: 200}
    assert waiting.note([SlotFreed(A, 1), SlotFreed(A, 2), SlotEvicted(A, 1)], 300) == [A]
    assert waiting.lost_at == {A: 300, B: 200}
    assert waiting.note([RequestFailed(B), SlotFreed(A, 1)], 400) == [B, A]
    assert waiting.lost_at == {}


def test_what_opens_at_once_changes_nothing() -> None:
    assert Waiting().note([SlotEvicted(A, 1), SlotFreed(A, 1)], 100) == []


@given(st.binary(min_size=20, max_size=20), st.floats(0.01, 1000), st.integers(1, 10**7))
def test_a_turn_is_never_further_than_a_quarter_of_the_delay_or_eight_blocks(
    account: bytes, block_seconds: float, delay: int
) -> None:
    terms = replace(LAZY, lazy_repair=LazyRepair(max_delay=delay))
    turn = turn_seconds(account, A, 5, terms, block_seconds)
    assert 0 <= turn < max(8 * block_seconds, min(64 * block_seconds, delay / 4))
    looks = [look_seconds(terms, block_seconds, tries) for tries in range(40)]
    assert looks == sorted(looks)
    assert looks[0] >= 2 * block_seconds
    assert looks[-1] <= max(2 * block_seconds, delay / 8) + 1


def test_turns_differ_between_nodes_requests_and_times() -> None:
    turns = {
        turn_seconds(bytes([account]) * 20, request, due, LAZY, 6.0)
        for account in range(10)
        for request in (A, B)
        for due in (5, 6)
    }
    assert len(turns) == 40
