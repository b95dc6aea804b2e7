"""Which columns of a protected dataset have to be decoded, cut into batches.

    row 1   . . # # # # . .        # missing
    row 3   . . . . # # # .
                a a b b c          batches: columns with the same rows missing, not too many

A batch is the unit of work: K rows of its columns are read, the missing ones computed.
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.ranges import RangeSet
from quire.dataset.geometry import Geometry


@dataclass(frozen=True, slots=True)
class ColumnBatch:
    """Columns [first, stop), and the rows that lack all of them, in order."""

    first: int
    stop: int
    rows: tuple[int, ...]

    @property
    def count(self) -> int:
        return self.stop - self.first


def columns_of(geometry: Geometry, blocks: RangeSet) -> RangeSet:
    """The columns in which any of the blocks lies."""
    columns = RangeSet()
    for _, first, stop in _spans(geometry, blocks):
        columns.add(first, stop)
    return columns


def blocks_of(geometry: Geometry, columns: RangeSet) -> RangeSet:
    """All blocks of these columns, those of every row."""
    return RangeSet(
        (row * geometry.steps + first, row * geometry.steps + stop)
        for row in range(geometry.slots)
        for first, stop in columns
    )


def later_rows(geometry: Geometry, start: int, stop: int, until: int) -> list[tuple[int, int]]:
    """The columns of blocks [start, stop) in the data rows after theirs, up to block `until`."""
    found = []
    for row, first, last in _spans(geometry, RangeSet([(start, stop)])):
        for later in range(row + 1, geometry.k):
            base = later * geometry.steps
            found.append((base + first, min(base + last, until)))
    return [(low, high) for low, high in found if low < high]


def batch_columns(geometry: Geometry, batch_bytes: int) -> int:
    """How many columns K rows of which are at most `batch_bytes`; at least one."""
    return max(1, batch_bytes // (geometry.k * geometry.block_size))


def column_batches(geometry: Geometry, blocks: RangeSet, columns_max: int) -> list[ColumnBatch]:
    """The columns of missing blocks, lowest first, each column in one batch.

    Every row of a batch lacks every column of it; a batch has at most `columns_max` columns.
    """
    begins: dict[int, list[int]] = {}
    ends: dict[int, list[int]] = {}
    for row, first, stop in _spans(geometry, blocks):
        begins.setdefault(first, []).append(row)
        ends.setdefault(stop, []).append(row)
    batches: list[ColumnBatch] = []
    rows: set[int] = set()
    low = 0
    for at in sorted({*begins, *ends}):
        if rows:
            lacking = tuple(sorted(rows))
            batches += [
                ColumnBatch(first, min(first + columns_max, at), lacking)
                for first in range(low, at, columns_max)
            ]
        rows.difference_update(ends.get(at, ()))
        rows.update(begins.get(at, ()))
        low = at
    return batches


def decodable_columns(geometry: Geometry, present: RangeSet, columns: RangeSet) -> RangeSet:
    """Those of the columns in which K rows are present; padding is."""
    change: dict[int, int] = {}
    for row in range(geometry.slots):
        base, stored = row * geometry.steps, geometry.stored_blocks(row)
        for first, stop in columns:
            spans = list(present.within(base + first, base + max(first, min(stop, stored))))
            spans += [(base + max(first, stored), base + stop)] if stop > stored else []
            for low, high in spans:
                change[low - base] = change.get(low - base, 0) + 1
                change[high - base] = change.get(high - base, 0) - 1
    found, rows, low = RangeSet(), 0, 0
    for at in sorted(change):
        if rows >= geometry.k:
            found.add(low, at)
        rows += change[at]
        low = at
    return found


def _spans(geometry: Geometry, blocks: RangeSet) -> list[tuple[int, int, int]]:
    """(row, first column, stop column) of every run of blocks."""
    spans, steps = [], geometry.steps
    for start, stop in blocks:
        while start < stop:
            row, first = geometry.position(start)
            count = min(stop - start, steps - first)
            spans.append((row, first, first + count))
            start += count
    return spans
