"""One question about a link at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from quire.point.values import LinkId


class _Turn:
    """`users`: who is at work on a link, or waits for that."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class Turns:
    """Those of one node."""

    def __init__(self) -> None:
        self._turns: dict[LinkId, _Turn] = {}

    @asynccontextmanager
    async def of(self, link_id: LinkId) -> AsyncIterator[None]:
        """Wait for the turn of a link, and have it for the length of the block."""
        turn = self._turns.setdefault(link_id, _Turn())
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[link_id]
