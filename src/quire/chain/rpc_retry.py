"""Trying again: until a deadline, in growing pauses that all calls to one node share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from quire.base.errors import ChainUnreachable

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0

T = TypeVar("T")


class TryAgain(Exception):
    """An attempt failed in a way that the next one may not."""


class Patience:
    """The pauses between attempts to reach one node: twice as long after each failure."""

    def __init__(self) -> None:
        self._pause = 0.0
        self._not_before = 0.0

    async def persist(self, attempt: Callable[[], Awaitable[T]], deadline: float, what: str) -> T:
        """The outcome of the first attempt that does not raise TryAgain.

        deadline  monotonic seconds
        what      subject of the message, as `the chain's node at ws://127.0.0.1:8545`
        Raises    ChainUnreachable  the deadline is past"""
        trouble = "no answer in time"
        try:
            async with asyncio.timeout_at(deadline):
                while True:
                    await self._wait()
                    try:
                        outcome = await attempt()
                    except TryAgain as failure:
                        trouble = str(failure)
                        self._failed()
                    else:
                        self._pause = 0.0
                        return outcome
        except TimeoutError:
            raise ChainUnreachable(f"{what} cannot be reached: {trouble}") from None

    async def _wait(self) -> None:
        wait = self._not_before - asyncio.get_running_loop().time()
        if self._pause and wait > 0:
            await asyncio.sleep(wait)

    def _failed(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._not_before:  # of many that fail at once only the first counts
            self._pause = min(max(2 * self._pause, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
            self._not_before = now + self._pause
