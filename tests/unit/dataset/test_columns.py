"""Missing blocks become batches of columns, each column in one of them."""

from __future__ import annotations

import pytest

from quire.base.ranges import RangeSet
from quire.dataset.columns import (
    ColumnBatch,
    batch_columns,
    blocks_of,
    column_batches,
    columns_of,
    decodable_columns,
    later_rows,
)
from quire.dataset.geometry import Geometry

IT = Geometry(40, 4, 2, 4096)  # 6 rows of 10


def test_columns_with_the_same_rows_missing_go_together() -> None:
    missing = RangeSet([(12, 16), (34, 37)])  # row 1: 2 to 5; row 3: 4 to 6
    assert column_batches(IT, missing, 16) == [
        ColumnBatch(2, 4, (1,)),
        ColumnBatch(4, 6, (1, 3)),
        ColumnBatch(6, 7, (3,)),
    ]


def test_a_run_over_the_end_of_a_row_is_cut_there() -> None:
    assert column_batches(IT, RangeSet([(8, 12)]), 16) == [
        ColumnBatch(0, 2, (1,)),
        ColumnBatch(8, 10, (0,)),
    ]


def test_a_batch_has_no_more_columns_than_it_may() -> None:
    batches = column_batches(IT, RangeSet([(50, 60)]), 4)
    assert [(b.first, b.stop, b.rows) for b in batches] == [
        (0, 4, (5,)),
        (4, 8, (5,)),
        (8, 10, (5,)),
    ]
    assert sum(batch.count for batch in batches) == IT.steps


def test_nothing_missing_is_no_batch() -> None:
    assert column_batches(IT, RangeSet(), 4) == []


@pytest.mark.parametrize(("size", "columns"), [(1, 1), (16384, 1), (16384 * 3 + 1, 3)])
def test_a_batch_is_as_large_as_k_rows_of_it_may_be(size: int, columns: int) -> None:
    assert batch_columns(IT, size) == columns


def test_columns_and_blocks_are_each_others_inverse() -> None:
    columns = RangeSet([(1, 3), (7, 8)])
    blocks = blocks_of(IT, columns)
    assert blocks.count() == 3 * IT.slots
    assert columns_of(IT, blocks) == columns


def test_a_column_is_decodable_when_k_of_its_blocks_are_there() -> None:
    present = RangeSet([(0, 10), (20, 30), (40, 50), (55, 60)])  # rows 0, 2, 4, half of 5
    everywhere = RangeSet([(0, 10)])
    assert decodable_columns(IT, present, everywhere) == RangeSet([(5, 10)])
    assert decodable_columns(IT, present, RangeSet([(3, 7)])) == RangeSet([(5, 7)])
    assert decodable_columns(IT, RangeSet(), everywhere) == RangeSet()


def test_padding_counts_as_present() -> None:
    it = Geometry(33, 4, 2, 4096)  # 9 a row; row 3 has 27 to 32 and three pads
    present = RangeSet([(0, 27)])  # rows 0, 1, 2
    assert decodable_columns(it, present, RangeSet([(0, 9)])) == RangeSet([(6, 9)])


def test_later_rows_are_the_same_columns_of_the_data_rows_that_follow():
    geometry = Geometry(37, 4, 2, 4096)  # rows of 10
    assert later_rows(geometry, 3, 5, 37) == [(13, 15), (23, 25), (33, 35)]
    assert later_rows(geometry, 28, 32, 37) == []
    assert later_rows(geometry, 26, 28, 37) == [(36, 37)]
    assert later_rows(geometry, 8, 12, 26) == [(18, 20), (20, 22)]
    assert later_rows(geometry, 33, 37, 37) == []
