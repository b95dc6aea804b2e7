"""Callers that want the same thing share one task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Result = TypeVar("Result")


class SingleFlight(Generic[Key, Result]):
    """One running task for each key; it is cancelled when its last caller has left."""

    def __init__(self) -> None:
        self._tasks: dict[Key, asyncio.Task[Result]] = {}
        self._callers: dict[Key, int] = {}

    async def run(self, key: Key, begin: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """The result of the running task of this key, or of a new one made by `begin`."""
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(begin())
            self._tasks[key] = task
            self._callers[key] = 0
            task.add_done_callback(lambda done: self._forget(key, done))
        self._callers[key] += 1
        try:
            return await asyncio.shield(task)
        finally:
            if self._tasks.get(key) is task:
                self._callers[key] -= 1
                if not self._callers[key]:
                    task.cancel()
                    self._forget(key, task)

    def __len__(self) -> int:
        """How many tasks run."""
        return len(self._tasks)

    def _forget(self, key: Key, task: asyncio.Task[Result]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
            del self._callers[key]
        if task.done() and not task.cancelled():
            task.exception()  # seen: its callers may all have left
