"""The time of the chain between its blocks (`ChainClock` of the port)."""

from __future__ import annotations

import asyncio

from quire.base.clock import Clock
from quire.base.errors import DeadlineExceeded
from quire.chain.heads import Heads

LEAST_WAIT_SECONDS = 0.001  # less may round to no time at all


class RpcChainClock:
    """Runs on from the latest look at the chain, at the pace of this machine."""

    def __init__(self, heads: Heads, clock: Clock) -> None:
        self._heads = heads
        self._clock = clock

    def now(self) -> float:
        look = self._heads.newest
        return look.time + max(0.0, self._clock.monotonic() - look.at)

    async def until(self, timestamp: float, deadline: float | None = None) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                while (left := timestamp - self.now()) > 0:
                    await self._look_within(left)
        except TimeoutError:
            raise DeadlineExceeded(
                f"the chain is at {self.now():.0f} and did not reach {timestamp:.0f} in time"
            ) from None

    async def _look_within(self, seconds: float) -> None:
        """Another look may show that the time of the chain was moved."""
        try:
            async with asyncio.timeout(max(seconds, LEAST_WAIT_SECONDS)):
                await self._heads.next_look()
        except TimeoutError:
            return


def skew_seconds(chain_time: float, clock: Clock) -> float:
    """How far the calendar of this machine is ahead of the chain; negative: behind it."""
    return clock.now() - chain_time
