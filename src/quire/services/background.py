"""One background task of a service: started, stopped, and never gone without a word.

An error that the task does not handle is published on the bus and the task begins anew after a
pause that grows; so a mistake of ours costs a delay and a line, not a service.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable

from quire.base.events import EventBus

PAUSE_SECONDS_FIRST, PAUSE_SECONDS_MAX = 1.0, 60.0


class Background:
    """`run` works until it is cancelled; when it returns, the task is done."""

    def __init__(self, name: str, run: Callable[[], Awaitable[None]], events: EventBus) -> None:
        self._name = name
        self._run = run
        self._events = events
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep(), name=self._name)

    async def stop(self) -> None:
        """Cancel it and wait until it has ended. Harmless when it does not run."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _keep(self) -> None:
        pause = PAUSE_SECONDS_FIRST
        while True:
            try:
                await self._run()
                return
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                self._events.publish(
                    "task.failed",
                    "",
                    f"{self._name} failed ({type(error).__name__}: {error}, in {where.name}) and "
                    f"goes on in {pause:.0f} s; please report it",
                )
                await asyncio.sleep(pause)
                pause = min(2 * pause, PAUSE_SECONDS_MAX)
