"""Blocks that were computed for readers, and go when the last of them ends, if that is wished."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from quire.base.ranges import RangeSet

Shed = Callable[[bytes, int, int], Awaitable[int]]  # tree root, start, count


@dataclass(slots=True)
class _Readers:
    """Those of one tree."""

    count: int = 0
    computed: RangeSet = field(default_factory=RangeSet)  # for them
    is_kept: bool = False  # somebody else wants it as well


class Leftovers:
    """Keeps the account. Without `shed` everything stays."""

    def __init__(self, shed: Shed | None) -> None:
        self._shed = shed
        self._readers: dict[bytes, _Readers] = {}  # by tree root

    @asynccontextmanager
    async def reading(self, root: bytes) -> AsyncIterator[None]:
        """Somebody reads for the length of the block."""
        if self._shed is None:
            yield
            return
        readers = self._readers.setdefault(root, _Readers())
        readers.count += 1
        try:
            yield
        finally:
            readers.count -= 1
            if not readers.count:
                del self._readers[root]
                if not readers.is_kept:
                    for start, stop in readers.computed:
                        await self._shed(root, start, stop - start)

    def computed(self, root: bytes, start: int, stop: int) -> None:
        """Blocks [start, stop) were computed and kept."""
        readers = self._readers.get(root)
        if readers is not None:
            readers.computed.add(start, stop)

    def keep(self, root: bytes) -> None:
        """Somebody wants the dataset here for good."""
        readers = self._readers.get(root)
        if readers is not None:
            readers.is_kept = True
