"""Pieces of ciphertext are read once for all that want them."""

from __future__ import annotations

import asyncio

import pytest

from quire.base.errors import BlockMissing
from quire.services.retail.piece_cache import PieceCache
from quire.sim.clock import SimClock
from support.machine_kit import in_virtual_time

KEY, OTHER = (b"root", 0, 16), (b"root", 16, 16)


def test_who_asks_at_the_same_time_or_soon_after_shares_one_read() -> None:
    async def main(_: SimClock) -> None:
        reads = 0

        async def read() -> memoryview:
            nonlocal reads
            reads += 1
            await asyncio.sleep(1)
            return memoryview(bytes(100))

        cache = PieceCache(150)
        first = asyncio.create_task(cache.get(KEY, read))
        second = asyncio.create_task(cache.get(KEY, read))
        await asyncio.sleep(0.5)
        first.cancel()  # does not stop the other
        assert len(await second) == 100
        await cache.get(KEY, read)
        assert reads == 1
        await cache.get(OTHER, read)  # there is room for one
        await cache.get(KEY, read)
        assert reads == 3

    in_virtual_time(main)


def test_a_read_that_failed_is_tried_again_by_the_next() -> None:
    async def main(_: SimClock) -> None:
        async def missing() -> memoryview:
            raise BlockMissing("it is not here")

        async def there() -> memoryview:
            return memoryview(b"x")

        cache = PieceCache()
        with pytest.raises(BlockMissing):
            await cache.get(KEY, missing)
        assert await cache.get(KEY, there) == b"x"

    in_virtual_time(main)
