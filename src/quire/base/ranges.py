"""Sets of whole numbers kept as sorted, disjoint, half-open ranges.

Availability, missing blocks and assignments are all such sets: a complete dataset is one range,
however large it is. All operations leave the set normal: sorted, disjoint, never adjacent.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class RangeSet:
    """A mutable set of non-negative integers as ranges [start, stop)."""

    __slots__ = ("_starts", "_stops")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        for start, stop in ranges:
            self.add(start, stop)

    def add(self, start: int, stop: int) -> None:
        """Insert [start, stop); an empty or reversed range is a ValueError unless equal."""
        if start < 0 or stop < start:
            raise ValueError(f"not a range: [{start}, {stop})")
        if start == stop:
            return
        low = bisect_left(self._stops, start)
        high = bisect_right(self._starts, stop)
        if low < high:
            start = min(start, self._starts[low])
            stop = max(stop, self._stops[high - 1])
        self._starts[low:high] = [start]
        self._stops[low:high] = [stop]

    def remove(self, start: int, stop: int) -> None:
        """Take [start, stop) out; parts that are not in the set are ignored."""
        if start < 0 or stop < start:
            raise ValueError(f"not a range: [{start}, {stop})")
        if start == stop:
            return
        low = bisect_right(self._stops, start)
        high = bisect_left(self._starts, stop)
        if low >= high:
            return
        starts, stops = [], []
        if self._starts[low] < start:
            starts.append(self._starts[low])
            stops.append(start)
        if self._stops[high - 1] > stop:
            starts.append(stop)
            stops.append(self._stops[high - 1])
        self._starts[low:high] = starts
        self._stops[low:high] = stops

    def covers(self, start: int, stop: int) -> bool:
        """Whether every number of [start, stop) is in the set."""
        if start == stop:
            return True
        at = bisect_right(self._starts, start) - 1
        return at >= 0 and stop <= self._stops[at]

    def within(self, start: int, stop: int) -> RangeSet:
        """The part of the set that lies inside [start, stop)."""
        part = RangeSet()
        at = bisect_right(self._stops, start)
        while at < len(self._starts) and self._starts[at] < stop:
            part._starts.append(max(start, self._starts[at]))
            part._stops.append(min(stop, self._stops[at]))
            at += 1
        return part

    def minus(self, other: RangeSet) -> RangeSet:
        """The numbers of this set that are not in the other."""
        left = self.copy()
        for start, stop in other:
            left.remove(start, stop)
        return left

    def intersect(self, other: RangeSet) -> RangeSet:
        """The numbers that are in both sets."""
        both = RangeSet()
        for start, stop in other:
            part = self.within(start, stop)
            both._starts.extend(part._starts)
            both._stops.extend(part._stops)
        return both

    def copy(self) -> RangeSet:
        twin = RangeSet()
        twin._starts = self._starts.copy()
        twin._stops = self._stops.copy()
        return twin

    def count(self) -> int:
        """How many numbers are in the set."""
        return sum(self._stops) - sum(self._starts)

    def __contains__(self, number: int) -> bool:
        return self.covers(number, number + 1)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._starts, self._stops, strict=True)))

    def __len__(self) -> int:
        """How many ranges, not how many numbers."""
        return len(self._starts)

    def __bool__(self) -> bool:
        return bool(self._starts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RangeSet):
            return NotImplemented
        return self._starts == other._starts and self._stops == other._stops

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "RangeSet(" + ", ".join(f"[{a}, {b})" for a, b in self) + ")"
