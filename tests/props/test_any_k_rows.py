"""Whatever K of the K + M rows are to be had, and wherever they lie, the bytes come back."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quire.base.ranges import RangeSet
from quire.dataset.columns import blocks_of, column_batches, columns_of, decodable_columns
from quire.dataset.geometry import Geometry
from support.protected import protect
from support.row_holders import readers

CODES = [(2, 1), (2, 2), (3, 2), (4, 2), (5, 5), (10, 4)]


async def read_with(blocks: int, k: int, m: int, held: list[list[int]], here: list[int]) -> None:
    """Read a dataset of which holders have these rows, and the reader itself some."""
    made = protect(blocks, k, m, is_verifiable=False)
    async with readers(made, held) as it:
        if here:
            rows = [made.geometry.row_range(row) for row in here]
            present = RangeSet((row.start, row.stop) for row in rows)
            it.reader.store.add_protected(made.manifest, made.nodes, made.blocks, present)
        assert await it.read(idle=10.0) == made.data


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(
    code=st.sampled_from(CODES),
    extra=st.integers(0, 30),
    chance=st.randoms(use_true_random=False),
    holders=st.integers(1, 4),
)
def test_any_k_rows_anywhere(
    code: tuple[int, int], extra: int, chance: Random, holders: int
) -> None:
    k, m = code
    alive = chance.sample(range(k + m), k)
    here = [row for row in alive if chance.random() < 0.3]
    held: list[list[int]] = [[] for _ in range(holders)]
    for row in alive:
        if row not in here:
            held[chance.randrange(holders)].append(row)
    asyncio.run(read_with(k + extra, k, m, held, here))


@pytest.mark.parametrize(("k", "m"), [(200, 56), (129, 65), (128, 128), (193, 63)])
async def test_any_k_rows_of_codes_with_many(k: int, m: int) -> None:
    """Both fields: the first two need 16 bits a symbol."""
    alive = sorted(Random(k).sample(range(k + m), k))
    await read_with(2 * k - 3, k, m, [alive[::3], alive[1::3], alive[2::3]], [])


@settings(max_examples=200, deadline=None)
@given(
    shape=st.tuples(st.integers(2, 6), st.integers(1, 6), st.integers(1, 40)),
    spans=st.lists(st.tuples(st.integers(0, 120), st.integers(1, 30)), max_size=8),
    most=st.integers(1, 9),
)
def test_batches_cover_what_is_missing_once(
    shape: tuple[int, int, int], spans: list[tuple[int, int]], most: int
) -> None:
    k, m, blocks = shape
    it = Geometry(blocks, k, m, 4096)
    missing = RangeSet((a, min(a + n, it.total)) for a, n in spans if a < it.total)
    batches = column_batches(it, missing, most)
    found = RangeSet()
    for batch in batches:
        assert 1 <= batch.count <= most
        for row in batch.rows:
            start = it.index(row, batch.first)
            assert not found.within(start, start + batch.count), "twice"
            found.add(start, start + batch.count)
    assert found == missing
    columns = columns_of(it, missing)
    assert [c for b in batches for c in range(b.first, b.stop)] == [
        c for a, z in columns for c in range(a, z)
    ]
    assert not missing.minus(blocks_of(it, columns))


@settings(max_examples=200, deadline=None)
@given(
    shape=st.tuples(st.integers(2, 6), st.integers(1, 6), st.integers(1, 40)),
    spans=st.lists(st.tuples(st.integers(0, 120), st.integers(1, 60)), max_size=8),
)
def test_decodable_columns_have_k_blocks(
    shape: tuple[int, int, int], spans: list[tuple[int, int]]
) -> None:
    k, m, blocks = shape
    it = Geometry(blocks, k, m, 4096)
    present = RangeSet((a, min(a + n, it.total)) for a, n in spans if a < it.total)
    found = decodable_columns(it, present, RangeSet([(0, it.steps)]))
    for column in range(it.steps):
        leaves = [it.index(row, column) for row in range(it.slots)]
        there = sum(leaf in present or it.is_pad(leaf) for leaf in leaves)
        assert (column in found) == (there >= k)
