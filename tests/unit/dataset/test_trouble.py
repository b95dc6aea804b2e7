"""What is computed instead of being waited for, and how that is told."""

from __future__ import annotations

from quire.base.ranges import RangeSet
from quire.dataset.columns import columns_of
from quire.dataset.geometry import Geometry
from quire.dataset.row_choice import RowState
from quire.dataset.trouble import (
    COLUMNS_SEEN,
    Peers,
    Trouble,
    find_trouble,
    name_rows,
    tell_rows,
)

HERE, READY, UNKNOWN, LATE, NOWHERE = RowState
IT = Geometry(40, 4, 2, 4096)  # 6 rows of 10
ALL = RangeSet([(0, 60)])
NONE = RangeSet()


def find(
    present: RangeSet, peers: Peers | None, span: tuple[int, int] = (0, 40), *, reader: bool = True
) -> Trouble:
    return find_trouble(IT, *span, present, peers, waits_for_each=reader)


def test_a_block_in_k_rows_that_are_here_is_computed_without_any_peer() -> None:
    trouble = find(RangeSet([(10, 50)]), None)
    assert trouble == Trouble(RangeSet([(0, 10)]), NONE, NONE)
    assert trouble.blocks() == RangeSet([(0, 10)])


def test_what_prompt_peers_have_is_no_trouble() -> None:
    assert not find(NONE, Peers(ALL, ALL, True)).blocks()


def test_what_nobody_has_is_trouble_once_everybody_was_heard() -> None:
    held = ALL.minus(RangeSet([(20, 30)]))
    assert not find(NONE, Peers(held, held, False)).blocks()
    assert find(NONE, Peers(held, held, True)) == Trouble(NONE, RangeSet([(20, 30)]), NONE)


def test_a_reader_does_not_wait_for_slow_peers_and_a_fetch_does_while_others_deliver() -> None:
    peers = Peers(ALL, RangeSet([(0, 20), (30, 60)]), True)
    slow = RangeSet([(20, 30)])
    assert find(NONE, peers).slow == slow
    assert not find(NONE, peers, reader=False).blocks()
    assert find(RangeSet([(0, 20)]), peers, (0, 30), reader=False).slow == slow


def test_only_the_first_columns_are_looked_at() -> None:
    it = Geometry(8 * COLUMNS_SEEN, 4, 2, 4096)
    peers = Peers(NONE, NONE, True)
    trouble = find_trouble(it, 0, it.rounded, NONE, peers, waits_for_each=True)
    assert columns_of(it, trouble.nowhere) == RangeSet([(0, COLUMNS_SEEN)])


def test_the_reason_names_the_rows() -> None:
    states = dict(enumerate([READY, READY, NOWHERE, READY, READY, READY]))
    assert tell_rows(4, states, [2]) == "row 2 has no holder; reading 4 of the 5 others"
    states[4] = LATE
    told = tell_rows(4, states, [2, 4])
    assert told == "row 2 has no holder and row 4 is late; reading 4 of the 4 others"
    assert tell_rows(4, states, [0]).startswith("row 0 did not come; reading 4")


def test_the_reason_says_how_many_rows_are_lacking() -> None:
    states = dict(enumerate([READY, READY, NOWHERE, READY, UNKNOWN, NOWHERE]))
    assert tell_rows(4, states, [2]) == (
        "rows 2, 4 and 5 have no holder; 4 of the 6 rows are needed and only 3 can be had"
    )


def test_rows_are_named_as_people_do() -> None:
    assert [name_rows(rows) for rows in ([1], [1, 4], [1, 2, 5], [])] == [
        "row 1",
        "rows 1 and 4",
        "rows 1, 2 and 5",
        "no row",
    ]
