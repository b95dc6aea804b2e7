"""How many columns are coded again, which ones, and how sure that makes."""

from __future__ import annotations

from itertools import pairwise
from math import comb

import pytest

from quire.aggregation.stripes import draw, miss, needed
from quire.base.errors import InputError
from quire.dataset.geometry import Geometry

SECRET = bytes(range(32))


def exact_miss(steps: int, count: int, bad: int) -> float:
    return comb(steps - bad, count) / comb(steps, count)


@pytest.mark.parametrize(("steps", "bad"), [(1, 1), (2, 1), (99, 1), (100, 1), (101, 2), (500, 5)])
def test_so_many_are_drawn_that_one_bad_column_in_a_hundred_is_found(steps: int, bad: int) -> None:
    count = needed(steps, 0.99)
    assert exact_miss(steps, count, bad) <= 0.01 + 1e-12
    assert count == 0 or exact_miss(steps, count - 1, bad) > 0.01
    assert miss(steps, count) == pytest.approx(exact_miss(steps, count, bad))


def test_459_columns_are_enough_for_99_percent_however_many_there_are() -> None:
    assert needed(10**9, 0.99) == 459
    assert needed(10**9, 0.95) == 299
    assert all(needed(a, 0.99) <= needed(b, 0.99) for a, b in pairwise((10, 100, 10**4, 10**6)))


def test_of_few_columns_all_are_looked_at() -> None:
    assert needed(3, 0.99) == 3
    assert draw(SECRET, Geometry(12, 4, 2, 4096)).columns == (0, 1, 2)


@pytest.mark.parametrize("steps", [1, 50, 103, 500, 16384])
def test_the_same_secret_draws_the_same_columns_and_another_one_others(steps: int) -> None:
    geometry = Geometry(4 * steps - 1 if steps > 1 else 4, 4, 2, 65536)
    one = draw(SECRET, geometry)
    assert one == draw(SECRET, geometry)
    assert len(set(one.columns)) == len(one.columns) == needed(steps, 0.99)
    assert list(one.columns) == sorted(one.columns)
    assert 0 <= one.columns[0] <= one.columns[-1] < steps
    if len(one.columns) < steps:
        assert draw(bytes(32), geometry).columns != one.columns


def test_digests_are_computed_of_blocks_in_drawn_columns_that_are_no_pads() -> None:
    for blocks, k, m in ((1000, 4, 2), (13, 6, 3), (5, 4, 4), (70_000, 100, 50)):
        geometry = Geometry(blocks, k, m, 65536)
        drawn = draw(SECRET, geometry)
        assert len(set(drawn.blocks)) == len(drawn.blocks) <= 460
        assert all(column in drawn.columns for _, column in drawn.blocks)
        assert not any(geometry.is_pad(geometry.index(*block)) for block in drawn.blocks)
    assert len(draw(SECRET, Geometry(5, 4, 4, 65536)).blocks) == 5 + 8  # all there are


def test_every_column_and_row_can_be_drawn() -> None:
    geometry = Geometry(1200, 2, 2, 4096)
    drawn = [draw(number.to_bytes(32, "big"), geometry) for number in range(60)]
    assert {column for each in drawn for column in each.columns} == set(range(600))
    assert {row for each in drawn for row, _ in each.blocks} == {0, 1, 2, 3}


def test_the_words_say_the_numbers_and_promise_no_more_than_there_is() -> None:
    geometry = Geometry(16384 * 4, 4, 2, 65536)
    words = draw(SECRET, geometry).words()
    assert words.startswith("452 of 16 384 columns coded again, 99.0 %")
    assert "digests of 460 of 98 304 blocks" in words
    assert "3 of 3 columns coded again, 100 %" in draw(SECRET, Geometry(12, 4, 2, 4096)).words()


@pytest.mark.parametrize("confidence", [0.0, 0.49, 1.0, 2.0, float("nan")])
def test_a_confidence_that_cannot_be_had_is_refused(confidence: float) -> None:
    with pytest.raises(InputError, match=r"0\.5 to 0\.999999999 would work"):
        needed(100, confidence)


def test_a_secret_of_another_length_is_refused() -> None:
    with pytest.raises(InputError, match="32"):
        draw(b"short", Geometry(12, 4, 2, 4096))
