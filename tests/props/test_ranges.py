"""A RangeSet is a set of numbers, kept as sorted, disjoint, never adjacent ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.base.ranges import RangeSet

RANGES = st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda r: (r[0], r[0] + r[1]))
CHANGES = st.lists(st.tuples(st.booleans(), RANGES), max_size=30)


def built(changes: list[tuple[bool, tuple[int, int]]]) -> tuple[RangeSet, set[int]]:
    ranges, numbers = RangeSet(), set[int]()
    for is_added, (start, stop) in changes:
        if is_added:
            ranges.add(start, stop)
            numbers |= set(range(start, stop))
        else:
            ranges.remove(start, stop)
            numbers -= set(range(start, stop))
    return ranges, numbers


def numbers_of(ranges: RangeSet) -> set[int]:
    return {number for start, stop in ranges for number in range(start, stop)}


@given(CHANGES)
def test_it_holds_what_a_set_would_hold_and_stays_normal(changes) -> None:
    ranges, numbers = built(changes)
    assert numbers_of(ranges) == numbers
    assert ranges.count() == len(numbers)
    flat = [edge for pair in ranges for edge in pair]
    assert flat == sorted(set(flat))


@given(CHANGES, CHANGES, RANGES)
def test_its_operations_are_those_of_sets(one, other, part) -> None:
    left, left_numbers = built(one)
    right, right_numbers = built(other)
    inside = set(range(*part))
    assert numbers_of(left.minus(right)) == left_numbers - right_numbers
    assert numbers_of(left.intersect(right)) == left_numbers & right_numbers
    assert numbers_of(left.within(*part)) == left_numbers & inside
    assert left.covers(*part) == (inside <= left_numbers)
    assert (left == right) == (left_numbers == right_numbers)


@given(CHANGES, RANGES)
def test_a_copy_is_independent(changes, more) -> None:
    ranges, numbers = built(changes)
    ranges.copy().add(*more)
    assert numbers_of(ranges) == numbers


@pytest.mark.parametrize("bad", [(3, 2), (-1, 4)])
def test_what_is_no_range_is_refused(bad: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="not a range"):
        RangeSet().add(*bad)
    with pytest.raises(ValueError, match="not a range"):
        RangeSet().remove(*bad)
