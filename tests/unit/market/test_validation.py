"""A validator knows its slots, its windows, and leaves marks to others who were faster."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.base.errors import InputError
from quire.market.validation import MarkWindow, Rivalry, Share, blocks_to_wait, draw, in_turn
from support.market_terms import TERMS

slot_ids = st.binary(min_size=32, max_size=32)
END = TERMS.period_end(5)


@given(slot_ids, st.integers(2, 65_535))
def test_every_slot_belongs_to_exactly_one_group(slot_id: bytes, groups: int) -> None:
    index = int.from_bytes(slot_id[:8], "big") % groups
    assert Share(groups=groups, group_index=index).takes(slot_id)
    other = (index + 1) % groups
    assert not Share(groups=groups, group_index=other).takes(slot_id)
    assert Share().takes(slot_id)


@pytest.mark.parametrize(
    "bad", [(-1, 0, 0), (0, 1, 0), (0, 65_536, 0), (0, 4, 4), (0, 4, -1), (0, 0, 1)]
)
def test_shares_that_cannot_be_are_refused_with_the_numbers_that_can(bad) -> None:
    with pytest.raises(InputError, match=r"0|2 to 65535"):
        Share(*bad)


def test_the_window_is_open_only_for_blocks_that_can_mark() -> None:
    window = MarkWindow.of(5, TERMS)
    assert (window.first, window.last) == (END + 1, END + TERMS.timeout - 1)
    assert not window.is_open(END)
    assert window.is_open(END + 1)
    assert window.is_open(END + TERMS.timeout - 1)
    assert not window.is_open(END + TERMS.timeout)


@given(st.integers(TERMS.period * 2, 10**10))
def test_the_newest_window_has_opened_and_its_next_has_not(now: int) -> None:
    window = MarkWindow.newest(now, TERMS)
    assert window.first <= now < MarkWindow.of(window.period + 1, TERMS).first


@given(st.lists(slot_ids, unique=True, max_size=20), st.integers(0, 2**63))
def test_turns_are_an_order_of_all_slots_and_differ_between_validators(ids, period: int) -> None:
    one, two = bytes([1] * 20), bytes([2] * 20)
    assert sorted(in_turn(one, ids, period)) == sorted(ids)
    assert in_turn(one, ids, period) == in_turn(one, ids[::-1], period)
    assert all(draw(one, s, period) != draw(two, s, period) for s in ids)


@given(slot_ids, st.integers(0, 2**63), st.integers(1, 8))
def test_nobody_waits_longer_than_the_spread(slot_id: bytes, period: int, spread: int) -> None:
    assert 0 <= blocks_to_wait(bytes(20), slot_id, period, spread) < spread


def test_who_is_beaten_spreads_and_who_is_alone_does_not() -> None:
    rivalry = Rivalry(spread_max=8)
    seen = []
    for beaten in (0, 3, 1, 1, 1, 0, 0, 0, 0):
        rivalry.note(beaten)
        seen.append(rivalry.spread)
    assert seen == [1, 2, 4, 8, 8, 4, 2, 1, 1]
