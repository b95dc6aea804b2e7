"""Off-loop work without threads: each job runs on the loop's thread at a drawn moment.

An executor is a number of lanes. A job starts when a lane is free, in the order of submission; it
does its work somewhere within its drawn duration and its result is seen at the end of it. So a
crash can fall before the work, or between the work and the moment its caller hears of it; and an
executor with one lane keeps the order of its jobs, as a pool of one thread does.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

JOB_SECONDS_MEDIAN = 0.0004  # a write into the page cache; a sync is drawn from the long tail
JOB_SECONDS_SPREAD = 1.0  # sigma of the log-normal: one job in twenty takes five times the median
DEFAULT_LANES = 4

T = TypeVar("T")


@dataclass(slots=True)
class Pace:
    """How many times longer than usual the jobs of a machine take."""

    slowness: float = 1.0


class SimExecutor(Executor):
    """Names a set of lanes. Only the simulated loop runs jobs, through `run_in_executor`."""

    def __init__(self, lanes: int, pace: Pace | None = None) -> None:
        self.lanes = lanes
        self.pace = pace or Pace()


class Lanes:
    """When the jobs of every executor start and end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rng: random.Random) -> None:
        self._loop = loop
        self._rng = rng
        self._default = SimExecutor(DEFAULT_LANES)
        self._free_at: WeakKeyDictionary[Executor, list[float]] = WeakKeyDictionary()

    def submit(
        self, executor: Executor | None, work: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """A future of `work(*args)`. Cancelled before its start, the work is never done; cancelled
        later, it is done all the same, as with threads."""
        lanes = self._lanes_of(executor if executor is not None else self._default)
        lane = min(range(len(lanes)), key=lanes.__getitem__)
        starts_at = max(self._loop.time(), lanes[lane])
        slowness = executor.pace.slowness if isinstance(executor, SimExecutor) else 1.0
        duration = slowness * JOB_SECONDS_MEDIAN * self._rng.lognormvariate(0.0, JOB_SECONDS_SPREAD)
        works_at = starts_at + duration * self._rng.random()
        lanes[lane] = ends_at = starts_at + duration
        future: asyncio.Future[T] = self._loop.create_future()

        def start() -> None:
            if not future.cancelled():
                self._loop.call_at(works_at, do)

        def do() -> None:
            try:
                result = work(*args)
            except Exception as error:  # whatever it is, it belongs to the caller
                self._loop.call_at(ends_at, fail, error)
            else:
                self._loop.call_at(ends_at, finish, result)

        def finish(result: T) -> None:
            if not future.done():
                future.set_result(result)

        def fail(error: Exception) -> None:
            if not future.done():
                future.set_exception(error)

        self._loop.call_at(starts_at, start)
        return future

    def _lanes_of(self, executor: Executor) -> list[float]:
        lanes = self._free_at.get(executor)
        if lanes is None:
            count = DEFAULT_LANES
            if isinstance(executor, SimExecutor):
                count = executor.lanes
            elif isinstance(executor, ThreadPoolExecutor):
                count = executor._max_workers
            lanes = self._free_at[executor] = [0.0] * count
        return lanes
