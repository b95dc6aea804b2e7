"""Calls that come at the same time are done together: one look at the hub, one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from quire.base.errors import Busy, QuireError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Together(Generic[K, V]):
    """`work` takes keys, each once, and gives a value or an error for each, in order; it begins
    after every call that it serves. `pause_seconds`: so long others are waited for."""

    def __init__(
        self,
        work: Callable[[Sequence[K]], Awaitable[Sequence[V | QuireError]]],
        pause_seconds: float = 0.0,
    ) -> None:
        self._work = work
        self._pause = pause_seconds
        self._waiting: dict[K, asyncio.Future[V]] = {}
        self._task: asyncio.Task[None] | None = None

    async def do(self, key: K) -> V:
        """Raises whatever `work` gives or raises."""
        result = self._waiting.get(key)
        if result is None:
            result = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="together")
        return await asyncio.shield(result)

    async def stop(self) -> None:
        """Who waits hears that the node stops."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        _fail(list(self._waiting.values()), Busy("the node is stopping"))
        self._waiting.clear()

    async def _run(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(self._pause)
                await self._round()
        finally:
            self._task = None

    async def _round(self) -> None:
        served, self._waiting = self._waiting, {}
        try:
            values = await self._work(list(served))
        except QuireError as error:
            _fail(list(served.values()), error)
            return
        except BaseException:
            _fail(list(served.values()), Busy("it was stopped; ask again"))
            raise
        for result, value in zip(served.values(), values, strict=True):
            if isinstance(value, QuireError):
                _fail([result], value)
            elif not result.done():
                result.set_result(value)


def _fail(results: Sequence[asyncio.Future[V]], error: QuireError) -> None:
    for result in results:
        if not result.done():
            result.set_exception(error)
            result.exception()  # seen: who asked may be gone
