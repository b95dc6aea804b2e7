"""The time of a world in memory."""

from __future__ import annotations

import asyncio

from quire.base.clock import Clock
from quire.base.errors import DeadlineExceeded
from quire.chain.memory.world import MemoryWorld


class MemoryChainClock:
    """Between blocks the chain's time runs with a clock; without one it stands still, and only
    blocks and `MemoryWorld.set_time` move it."""

    def __init__(self, world: MemoryWorld, clock: Clock | None = None) -> None:
        self._world = world
        self._clock = clock
        self._seen = b""
        self._since = 0.0
        world.on_head(self._look)
        self._look()

    def now(self) -> float:
        self._look()
        passed = 0.0 if self._clock is None else self._clock.monotonic() - self._since
        return self._world.head.timestamp + passed

    async def until(self, timestamp: float, deadline: float | None = None) -> None:
        loop = asyncio.get_running_loop()
        moved = asyncio.Event()
        forget = self._world.on_head(moved.set)
        try:
            while self.now() < timestamp:
                moved.clear()
                left = None if self._clock is None else loop.time() + timestamp - self.now()
                ends = min((t for t in (left, deadline) if t is not None), default=None)
                try:
                    async with asyncio.timeout_at(ends):
                        await moved.wait()
                except TimeoutError:
                    if deadline is not None and loop.time() >= deadline:
                        raise DeadlineExceeded(
                            f"the chain's time did not come to {timestamp:.0f} in time"
                        ) from None
        finally:
            forget()

    def _look(self) -> None:
        if self._world.head.hash != self._seen:
            self._seen = self._world.head.hash
            self._since = 0.0 if self._clock is None else self._clock.monotonic()


async def mine_by_clock(world: MemoryWorld) -> None:
    """A block every `block_seconds`, for ever; the world must not mine by itself."""
    while True:
        await asyncio.sleep(world.block_seconds)
        world.mine()
