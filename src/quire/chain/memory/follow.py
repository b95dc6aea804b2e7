"""What happens in a world in memory, block by block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from quire.chain.memory.faults import MarketFaults
from quire.chain.memory.world import MemoryWorld
from quire.chain.port import Batch, Head


class Follower:
    """Tells every block once, and when blocks it told of were taken back."""

    def __init__(self, world: MemoryWorld, faults: MarketFaults, after: Head | None) -> None:
        self._world = world
        self._faults = faults
        self._told = world.head if after is None else after
        self._is_new = after is None

    async def batches(self) -> AsyncIterator[Batch]:
        moved = asyncio.Event()
        forget = self._world.on_head(moved.set)
        try:
            if self._is_new:
                yield Batch(self._told)
            while True:
                moved.clear()
                batch = self._next()
                if batch is not None:
                    yield batch
                else:
                    await moved.wait()
        finally:
            forget()

    def _next(self) -> Batch | None:
        if self._faults.is_unreachable or self._told == self._world.head:
            return None
        base, is_rewound = self._told, False
        while not self._world.is_canonical(base):
            parent, is_rewound = self._world.parent_of(base), True
            if parent is None:
                break
            base = parent
        blocks = self._world.blocks_after(base.number)
        self._told = self._world.head
        events = tuple(event for block in blocks for event in block.events)
        return Batch(self._told, events, is_rewound)
