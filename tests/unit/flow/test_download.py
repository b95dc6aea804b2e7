"""A dataset becomes its bytes, from here or from elsewhere, and never wrong ones."""

import contextlib
import random

import pytest

from quire.base.errors import BlockMissing, DeadlineExceeded, InputError
from quire.base.ranges import RangeSet
from quire.base.waits import Waits
from quire.flow.assemble import Assembler
from quire.flow.download import (
    AHEAD_BYTES,
    CHUNK_BYTES,
    FIRST_AHEAD_BYTES,
    FIRST_PIECE_BYTES,
    PIECE_BYTES,
    Downloads,
)
from support.fakes import FakeExchange, FakeStore, make_dataset, make_ground

BLOCK = 65536
CHUNK_BLOCKS = CHUNK_BYTES // BLOCK


def make(size: int, present: RangeSet | None = None):
    clock, events = make_ground()
    store = FakeStore()
    exchange = FakeExchange(store)
    data = random.Random(size).randbytes(size)
    dataset, blocks = make_dataset(data)
    store.add(dataset, blocks, present)
    assembler = Assembler(store, exchange, clock, events, Waits(clock))
    return Downloads(store, assembler, clock), store, exchange, dataset, data


async def read(downloads, dataset, **options):
    return b"".join([bytes(chunk) async for chunk in downloads.read(dataset, **options)])


@pytest.mark.parametrize("size", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * CHUNK_BYTES + 17])
async def test_a_local_dataset_reads_back_without_its_padding(size):
    downloads, _, exchange, dataset, data = make(size)
    assert await read(downloads, dataset) == data
    assert exchange.ensured == []
    assert (len(downloads.active), downloads.finished, downloads.sent_bytes) == (0, 1, size)


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, 1), (1, 0), (BLOCK - 1, 2), (CHUNK_BYTES - 1, 2), (5, CHUNK_BYTES * 2), (200_000, None)],
)
async def test_a_part_is_that_part(offset, length):
    size = 3 * CHUNK_BYTES + 17
    downloads, _, _, dataset, data = make(size)
    stop = size if length is None else offset + length
    assert await read(downloads, dataset, offset=offset, length=length) == data[offset:stop]


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, 101), (101, None), (50, -1)])
async def test_a_part_outside_the_dataset_is_refused(offset, length):
    downloads, _, _, dataset, _ = make(100)
    with pytest.raises(InputError, match="not inside"):
        await read(downloads, dataset, offset=offset, length=length)
    assert len(downloads.active) == 0


async def test_what_is_not_here_comes_from_the_network():
    downloads, _, exchange, dataset, data = make(5 * PIECE_BYTES, RangeSet([(3, 40)]))
    assert await read(downloads, dataset) == data
    sizes = [count for _, count in exchange.ensured]
    assert sizes[:7] == [4, 4, 8, 16, 32, 64, 128]  # little at first, then more
    assert max(sizes) == PIECE_BYTES // BLOCK
    assert sum(sizes) == 5 * PIECE_BYTES // BLOCK


async def test_only_the_wanted_part_is_asked_from_the_network():
    downloads, _, exchange, dataset, data = make(5 * PIECE_BYTES, RangeSet())
    part = await read(downloads, dataset, offset=PIECE_BYTES, length=BLOCK)
    assert part == data[PIECE_BYTES : PIECE_BYTES + BLOCK]
    assert exchange.ensured == [(128, 1)]


async def test_the_network_does_not_run_further_ahead_than_the_window():
    downloads, _, exchange, dataset, _ = make(2 * AHEAD_BYTES, RangeSet())
    async with contextlib.aclosing(downloads.read(dataset)) as chunks:
        await anext(chunks)
        furthest = max(start + count for start, count in exchange.ensured) * BLOCK
        assert furthest <= FIRST_AHEAD_BYTES + 2 * FIRST_PIECE_BYTES
        for _ in range(12):
            taken = CHUNK_BYTES + len(await anext(chunks))
        furthest = max(start + count for start, count in exchange.ensured) * BLOCK
    assert taken < furthest <= 12 * CHUNK_BYTES + AHEAD_BYTES + PIECE_BYTES


async def test_a_bad_block_is_got_again_from_the_network():
    downloads, store, exchange, dataset, data = make(2 * CHUNK_BYTES)
    store.bad = {3}
    assert await read(downloads, dataset) == data
    assert exchange.ensured == [(0, CHUNK_BLOCKS)]


async def test_a_bad_block_that_nobody_has_is_an_error_not_wrong_bytes():
    downloads, store, exchange, dataset, _ = make(2 * CHUNK_BYTES)
    store.bad = {3}
    exchange.limit_blocks = 0
    with pytest.raises((DeadlineExceeded, BlockMissing)):
        await read(downloads, dataset)
    assert downloads.finished == 0


async def test_a_slow_network_that_makes_progress_is_waited_for():
    downloads, _, exchange, dataset, data = make(CHUNK_BYTES, RangeSet())
    exchange.limit_blocks = 3  # each call gets three blocks and then runs out of time
    assert await read(downloads, dataset) == data
    assert len(exchange.ensured) > CHUNK_BLOCKS // 3


async def test_a_silent_network_is_an_error_after_the_idle_time():
    downloads, _, exchange, dataset, _ = make(CHUNK_BYTES, RangeSet())
    exchange.limit_blocks = 0
    with pytest.raises(DeadlineExceeded):
        await read(downloads, dataset)
    assert exchange.ensured[0] == (0, FIRST_PIECE_BYTES // BLOCK)
    assert len(downloads.active) == 0


async def test_a_reader_that_stops_early_leaves_nothing_running():
    downloads, _, _, dataset, _ = make(5 * PIECE_BYTES, RangeSet())
    async with contextlib.aclosing(downloads.read(dataset)) as chunks:
        await anext(chunks)
        assert len(downloads.active) == 1
    assert len(downloads.active) == 0
