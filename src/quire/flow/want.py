"""Blocks that somebody waits for, with the two ways in which the waiting can end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass

from quire.base.errors import QuireError


@dataclass(eq=False, slots=True)
class Want:
    """Blocks [start, stop) that somebody waits for; without deadline it is a fetch of them all."""

    start: int
    stop: int
    deadline: float | None  # monotonic seconds
    failed: asyncio.Future[None]  # with what makes waiting useless

    def fail(self, problem: QuireError) -> None:
        if not self.failed.done():
            self.failed.set_exception(problem)

    async def first_of(self, plain: Coroutine[object, object, None]) -> None:
        """Wait for the plain way, or for what makes it useless."""
        task = asyncio.get_running_loop().create_task(plain)
        try:
            await asyncio.wait([task, self.failed], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
            else:
                self.failed.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
