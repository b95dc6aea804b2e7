"""One question about a thing at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class _Turn:
    """`users`: who is at work on a thing, or waits for that."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class Turns:
    """Those of one node; things by their ids."""

    def __init__(self) -> None:
        self._turns: dict[bytes, _Turn] = {}

    @asynccontextmanager
    async def of(self, thing: bytes) -> AsyncIterator[None]:
        """Wait for the turn of a thing, and have it for the length of the block."""
        turn = self._turns.setdefault(thing, _Turn())
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[thing]
