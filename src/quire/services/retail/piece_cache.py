"""Pieces of ciphertext that several links want at about the same time: read once for all of them.

Replicas of one chunk are sealed and sent side by side; each link would else read the chunk twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from quire.base.units import MIB

CACHE_BYTES = 64 * MIB

Key: TypeAlias = tuple[bytes, int, int]  # root of the tree, first block, blocks


class PieceCache:
    """The pieces that were wanted last, and those that are being read."""

    def __init__(self, size_bytes: int = CACHE_BYTES) -> None:
        self._left = size_bytes
        self._kept: dict[Key, memoryview] = {}
        self._reading: dict[Key, asyncio.Future[memoryview]] = {}

    async def get(self, key: Key, read: Callable[[], Awaitable[memoryview]]) -> memoryview:
        """Raises what `read` raises, for all that wait for it."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._kept[key] = kept
            return kept
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.ensure_future(read())
            reading.add_done_callback(lambda done: self._read(key, done))
        # Who stops waiting does not stop the others.
        return await asyncio.shield(reading)

    def _read(self, key: Key, reading: asyncio.Future[memoryview]) -> None:
        del self._reading[key]
        if reading.cancelled() or reading.exception() is not None:
            return
        data = reading.result()
        self._kept[key] = data
        self._left -= len(data)
        while self._left < 0:
            self._left += len(self._kept.pop(next(iter(self._kept))))
