"""Which missing blocks should be computed from other rows, and why, in words.

computable  K rows of the column are here
nowhere     no peer has the block, and everybody was heard
slow        only peers have it that are late, or rest because they were
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from quire.base.ranges import RangeSet
from quire.dataset.columns import blocks_of, columns_of, decodable_columns
from quire.dataset.geometry import Geometry
from quire.dataset.row_choice import KNOWN, RowState, can_reach

COLUMNS_SEEN = 2048  # of those with missing blocks; the others come later


@dataclass(frozen=True, slots=True)
class Peers:
    """What a fetch knows: blocks that any peer holds, that one does which is quick enough, and that
    came but are perhaps not visible yet."""

    held: RangeSet
    prompt: RangeSet
    is_settled: bool
    came: RangeSet = field(default_factory=RangeSet)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Missing blocks that should not only be waited for."""

    computable: RangeSet
    nowhere: RangeSet
    slow: RangeSet

    def blocks(self) -> RangeSet:
        """All of them."""
        return RangeSet([*self.computable, *self.nowhere, *self.slow])


def find_trouble(
    geometry: Geometry,
    start: int,
    stop: int,
    present: RangeSet,
    peers: Peers | None,
    *,
    waits_for_each: bool,
) -> Trouble:
    """The trouble with blocks [start, stop).

    peers           None when no peer is asked
    waits_for_each  a reader; a fetch of the whole is in no hurry for what is slow as long as prompt
                    peers have something else for it
    """
    missing = RangeSet([(start, stop)]).minus(present)
    missing = _first_columns(geometry, missing if peers is None else missing.minus(peers.came))
    columns = columns_of(geometry, missing)
    decodable = decodable_columns(geometry, present, columns)
    computable = missing.intersect(blocks_of(geometry, decodable)) if decodable else RangeSet()
    if peers is None or not missing:
        return Trouble(computable, RangeSet(), RangeSet())
    nowhere = missing.minus(peers.held) if peers.is_settled else RangeSet()
    slow = RangeSet()
    if waits_for_each or not missing.intersect(peers.prompt):
        slow = missing.intersect(peers.held).minus(peers.prompt)
    return Trouble(computable, nowhere, slow)


def tell_rows(k: int, states: Mapping[int, RowState], wanted: Collection[int]) -> str:
    """Why the wanted rows are computed, and from how many others."""
    gone = [row for row in sorted(wanted) if states[row] in (RowState.NOWHERE, RowState.UNKNOWN)]
    late = [row for row in sorted(wanted) if states[row] is RowState.LATE]
    parts = [f"{name_rows(gone)} {'has' if len(gone) == 1 else 'have'} no holder"] if gone else []
    parts += [f"{name_rows(late)} {'is' if len(late) == 1 else 'are'} late"] if late else []
    reason = " and ".join(parts) or f"{name_rows(sorted(wanted))} did not come"
    others = {row: state for row, state in states.items() if row not in wanted}
    if can_reach(k, others):
        return f"{reason}; reading {k} of the {len(others)} others"
    return tell_lack(k, states)


def tell_lack(k: int, states: Mapping[int, RowState]) -> str:
    """Which rows cannot be had, and how many are needed."""
    gone = [row for row in sorted(states) if states[row] not in KNOWN]
    had = len(states) - len(gone)
    verb = "has" if len(gone) == 1 else "have"
    return (
        f"{name_rows(gone)} {verb} no holder; {k} of the {len(states)} rows are needed and only "
        f"{had} can be had"
    )


def name_rows(rows: Sequence[int]) -> str:
    """row 2; rows 1 and 4; rows 1, 2 and 5."""
    if len(rows) == 1:
        return f"row {rows[0]}"
    return f"rows {', '.join(str(row) for row in rows[:-1])} and {rows[-1]}" if rows else "no row"


def _first_columns(geometry: Geometry, missing: RangeSet) -> RangeSet:
    """Those of the missing blocks that lie in the first columns that lack any."""
    columns = columns_of(geometry, missing)
    if columns.count() <= COLUMNS_SEEN:
        return missing
    left, seen = COLUMNS_SEEN, RangeSet()
    for first, stop in columns:
        seen.add(first, min(stop, first + left))
        left -= min(stop - first, left)
        if not left:
            break
    return missing.intersect(blocks_of(geometry, seen))
