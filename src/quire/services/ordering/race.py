"""Several who can bring the same thing, one after the other, until the first has brought it.

    best ──patience──► next ──patience──► next …        whoever fails makes room at once
                          reserve: at its time, or when nobody else is left

Those that are still at it when one has brought it are cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from quire.base.clock import Clock
from quire.base.errors import Busy, DeadlineExceeded, QuireError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entrant(Generic[T]):
    """`patience`: seconds after which the next one begins as well. `bring` raises QuireError when
    it cannot; when it is cancelled, it is not wanted any more."""

    name: str
    patience: float
    bring: Callable[[], Awaitable[T]]


class Race(Generic[T]):
    """One race. `what` is wanted, in words; times are monotonic seconds; `reserve_at`: when the
    reserve begins at the latest."""

    def __init__(
        self,
        what: str,
        entrants: Sequence[Entrant[T]],
        clock: Clock,
        deadline: float,
        *,
        reserve: Entrant[T] | None = None,
        reserve_at: float = 0.0,
    ) -> None:
        self._what = what
        self._line = list(entrants)
        self._clock = clock
        self._deadline = deadline
        self._reserve = reserve
        self._reserve_at = reserve_at
        self._next_at = clock.monotonic()
        self._running: dict[asyncio.Task[T], str] = {}
        self._failed: list[str] = []

    async def run(self) -> T:
        """What the first one brings.

        Raises   Busy              nobody can bring it now, with what each said
                 DeadlineExceeded
        """
        try:
            while True:
                self._begin()
                if not self._running:
                    said = "; ".join(self._failed) or "there is nobody to ask"
                    raise Busy(f"nobody makes {self._what}: {said}")
                done, _ = await asyncio.wait(
                    list(self._running),
                    timeout=self._until_next(),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    name = self._running.pop(task)
                    try:
                        return task.result()
                    except QuireError as error:
                        self._failed.append(f"{name}: {error.message}")
                        self._next_at = self._clock.monotonic()
                if self._clock.monotonic() >= self._deadline:
                    names = ", ".join(self._running.values())
                    said = "; ".join(self._failed)
                    late = f"still at it: {names}" if names else "nobody was at it"
                    raise DeadlineExceeded(
                        f"{self._what} was not made in time; "
                        + (f"{said}; {late}" if said else late)
                    )
        finally:
            await self._end()

    def _begin(self) -> None:
        """Let those begin whose time has come."""
        now = self._clock.monotonic()
        if self._line and (now >= self._next_at or not self._running):
            entrant = self._line.pop(0)
            self._next_at = now + entrant.patience
            self._run(entrant)
        is_alone = not self._line and not self._running
        if self._reserve is not None and (now >= self._reserve_at or is_alone):
            self._run(self._reserve)
            self._reserve = None

    def _run(self, entrant: Entrant[T]) -> None:
        task = asyncio.ensure_future(entrant.bring())
        self._running[task] = entrant.name

    def _until_next(self) -> float:
        """Seconds until there is something to do if nobody brings or fails."""
        times = [self._deadline]
        if self._line:
            times.append(self._next_at)
        if self._reserve is not None:
            times.append(self._reserve_at)
        return max(0.0, min(times) - self._clock.monotonic())

    async def _end(self) -> None:
        """Nobody is at it when this returns."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(list(self._running))
        for task in self._running:
            if not task.cancelled():
                task.exception()  # seen: nobody waits for it
