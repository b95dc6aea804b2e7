"""Where the blocks of a protected dataset are."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.base.errors import InputError
from quire.dataset.geometry import (
    BadProtection,
    Geometry,
    InsufficientBlocks,
    check_code,
    check_protection,
)

KIB64 = 65536

codes = st.integers(2, 128).flatmap(
    lambda k: st.tuples(st.just(k), st.integers(1, min(k, 256 - k)))
)


@given(codes, st.integers(0, 5000))
def test_every_leaf_is_in_one_row_and_one_column(code, more):
    k, m = code
    geometry = Geometry(k + more, k, m, KIB64)
    assert geometry.rounded == geometry.steps * k >= geometry.original_blocks
    assert geometry.rounded - geometry.original_blocks < k
    assert geometry.total == geometry.rounded + geometry.steps * m
    ends = [geometry.row_range(row) for row in range(geometry.slots)]
    assert (ends[0].start, ends[-1].stop) == (0, geometry.total)
    assert all(left.stop == right.start for left, right in pairwise(ends))
    for index in {0, geometry.total // 2, geometry.total - 1}:
        row, step = geometry.position(index)
        assert geometry.index(row, step) == index
        assert index in geometry.row_range(row)


@given(codes, st.integers(0, 300))
def test_pads_end_the_data_rows(code, more):
    k, m = code
    geometry = Geometry(k + more, k, m, KIB64)
    pads = [index for index in range(geometry.total) if geometry.is_pad(index)]
    assert pads == list(range(geometry.original_blocks, geometry.rounded))
    stored = [
        index
        for row in range(geometry.slots)
        for index in geometry.row_range(row)[: geometry.stored_blocks(row)]
    ]
    assert sorted(stored + pads) == list(range(geometry.total))


def test_the_example_of_the_specification():
    geometry = Geometry(8, 3, 2, KIB64)
    assert (geometry.rounded, geometry.steps, geometry.total) == (9, 3, 15)
    assert (geometry.slot_blocks, geometry.slot_size) == (4, 262144)
    assert geometry.cells_per_slot == 128
    assert geometry.protected_size == 15 * KIB64


@pytest.mark.parametrize(
    ("blocks", "k", "m", "steps", "total", "slot_size"),
    [(3, 2, 1, 2, 6, 131072), (8, 2, 1, 4, 12, 262144), (5, 3, 2, 2, 10, 131072),
     (153, 4, 2, 39, 234, 4194304)],
)  # fmt: skip
def test_the_table_of_the_specification(blocks, k, m, steps, total, slot_size):
    geometry = Geometry(blocks, k, m, KIB64)
    assert (geometry.steps, geometry.total, geometry.slot_size) == (steps, total, slot_size)


@pytest.mark.parametrize(
    ("k", "m", "words"),
    [(1, 1, "K = 1"), (0, 1, "K = 0"), (3, 0, "M = 0"), (3, -1, "M = -1"), (2, 3, "M = 3"),
     (129, 128, "K + M = 257")],
)  # fmt: skip
def test_a_code_that_cannot_be_is_refused(k, m, words):
    with pytest.raises(BadProtection, match=words.replace("+", r"\+")):
        check_code(k, m)


@pytest.mark.parametrize(("k", "m"), [(2, 1), (2, 2), (128, 128), (200, 56), (255, 1)])
def test_a_code_within_the_limits_is_taken(k, m):
    check_code(k, m)
    check_protection(k, m, k, KIB64)
    assert Geometry(k, k, m, KIB64).slots == k + m


def test_a_dataset_that_is_too_small_is_refused_with_the_minimum():
    with pytest.raises(InsufficientBlocks, match=str(4 * KIB64)) as caught:
        check_protection(4, 2, 3, KIB64)
    assert caught.value.facts["minimum_bytes"] == 4 * KIB64
    assert caught.value.http == 422


def test_blocks_that_are_no_whole_cells_are_refused():
    with pytest.raises(BadProtection, match="multiple of 2048"):
        check_protection(2, 1, 10, 1000)


def test_a_slot_with_more_cells_than_a_proof_can_hold_is_refused():
    check_protection(2, 1, 2 << 27, KIB64)
    with pytest.raises(BadProtection, match="larger K"):
        check_protection(2, 1, (2 << 27) + 1, KIB64)


@pytest.mark.parametrize("call", [
    lambda g: g.index(5, 0), lambda g: g.index(0, 3), lambda g: g.index(-1, 0),
    lambda g: g.row_range(5), lambda g: g.position(15), lambda g: g.position(-1),
])  # fmt: skip
def test_places_outside_the_dataset_are_refused(call):
    with pytest.raises(InputError, match="does not exist"):
        call(Geometry(8, 3, 2, KIB64))


def test_an_empty_dataset_has_no_geometry():
    with pytest.raises(InputError):
        Geometry(0, 2, 1, KIB64)
