"""Which rows to read so that K of them are there soon. Pure: facts in, row numbers out.

    here     readable from this node           costs nothing
    ready    a peer that answers has it
    unknown  nobody has it yet, but not everybody was heard
    late     asked, and later than its peer's habits; or its only peers rest
    nowhere  everybody was heard, and nobody has it

K rows are asked for. One that is late is replaced, and may still be the first: then there are more
than K under way, by `spares` at most. One that is nowhere is replaced at no cost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from enum import IntEnum


class RowState(IntEnum):
    """From the most to the least promising."""

    HERE = 0
    READY = 1
    UNKNOWN = 2
    LATE = 3
    NOWHERE = 4


def spare_rows(m: int) -> int:
    """How many late rows are replaced at a time."""
    return min(m, 2)


def rows_to_ask(
    k: int,
    states: Mapping[int, RowState],
    *,
    got: Collection[int],
    asked: Collection[int],
    spares: int,
    preferred: int,
    speed: Callable[[int], float | None],
) -> list[int]:
    """The rows to ask for now, besides those that are asked; the best first.

    states     of every row that would do
    got        rows whose blocks are there
    asked      rows under way
    preferred  among rows that are equally near, those below this number come first, in order: a
               reader of data rows needs them anyway
    speed      bytes a second for a row, None when not known: the others come by it
    """
    under_way = [states[row] for row in asked if row not in got]
    late = sum(state is RowState.LATE for state in under_way)
    coming = sum(state < RowState.LATE for state in under_way)
    lacking = k - len(got) - coming - max(0, late - spares)
    if lacking <= 0:
        return []
    free = [row for row in states if row not in got and row not in asked]
    if len(got) + coming + late >= k:  # what is late will do, unless something better is free
        free = [row for row in free if states[row] < RowState.LATE]
    else:
        free = [row for row in free if states[row] < RowState.NOWHERE]

    def rank(row: int) -> tuple[int, int, float, int]:
        if row < preferred:
            return states[row], 0, 0.0, row
        return states[row], 1, -(speed(row) or 0.0), row

    return sorted(free, key=rank)[:lacking]


def can_reach(k: int, states: Mapping[int, RowState]) -> bool:
    """Whether K rows are known to be somewhere."""
    return sum(state in KNOWN for state in states.values()) >= k


KNOWN = (RowState.HERE, RowState.READY, RowState.LATE)
