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

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import IntEnum


class RowState(IntEnum):
    """From the most to the least promising."""

    HERE = 0
    READY = 1
    UNKNOWN = 2
    LATE = 3
    NOWHERE = 4


@dataclass(frozen=True, slots=True)
class RowView:
    """A row of some columns as it stands. Speed in bytes a second, None when not known."""

    row: int
    state: RowState
    speed: float | None = None


def spare_rows(m: int) -> int:
    """How many late rows are replaced at a time."""
    return min(m, 2)


def rows_to_ask(
    k: int,
    views: Iterable[RowView],
    *,
    got: Collection[int],
    asked: Collection[int],
    spares: int,
    preferred: int,
) -> list[int]:
    """The rows to ask for now, besides those that are asked; the best first.

    got        rows whose blocks are there
    asked      rows under way
    preferred  among rows that are equally near, those below this number come first, in order: a
               reader of data rows needs them anyway
    """
    views = list(views)
    under_way = [view for view in views if view.row in asked and view.row not in got]
    late = sum(view.state is RowState.LATE for view in under_way)
    coming = sum(view.state < RowState.LATE for view in under_way) + max(0, late - spares)
    lacking = k - len(got) - coming
    free = [
        view
        for view in views
        if view.row not in got and view.row not in asked and view.state is not RowState.NOWHERE
    ]
    free.sort(key=lambda view: _rank(view, preferred))
    chosen = free[: max(0, lacking)]
    if len(got) + coming + late >= k:  # what is late will do, unless something better is free
        chosen = [view for view in chosen if view.state < RowState.LATE]
    return [view.row for view in chosen]


def hopeless_rows(views: Iterable[RowView]) -> list[int]:
    """Rows that cannot be had, in order."""
    return sorted(view.row for view in views if view.state is RowState.NOWHERE)


def _rank(view: RowView, preferred: int) -> tuple[int, int, float, int]:
    if view.row < preferred:
        return view.state, 0, 0.0, view.row
    return view.state, 1, -(view.speed or 0.0), view.row
