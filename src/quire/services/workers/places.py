"""Places for tasks, and the line of those that wait for one: the urgent first, then who came first.

A place is whatever a task needs to run: a share of the threads of this process, or a worker.
"""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from quire.base.errors import Busy, WorkersLost
from quire.base.waits import Waits

T = TypeVar("T")

SUBJECT = "workers"
TURN_SECONDS_MAX = 3600.0  # in the line
PROOF, TREE, BATCH = range(3)  # urgency: proofs have deadlines in the chain


@dataclass(order=True)
class _Waiting(Generic[T]):
    urgency: int
    serial: int
    turn: asyncio.Future[T] = field(compare=False)


class Places(Generic[T]):
    """Who takes a place gives it back, unless it is no more."""

    def __init__(self, waits: Waits) -> None:
        self._waits = waits
        self._free: list[T] = []  # empty while somebody waits
        self._line: list[_Waiting[T]] = []
        self._serial = 0

    @property
    def free_count(self) -> int:
        return len(self._free)

    @property
    def queued_count(self) -> int:
        return len(self._line)

    def give(self, place: T) -> None:
        """A new place, or one that is not needed any more."""
        while self._line:
            turn = heapq.heappop(self._line).turn
            if not turn.done():
                turn.set_result(place)
                return
        self._free.append(place)

    def remove(self, place: T) -> None:
        """The place is no more. One that is taken is simply not given back."""
        if place in self._free:
            self._free.remove(place)

    def refuse(self, why: str) -> None:
        """Nobody is to wait any longer: all get WorkersLost."""
        line, self._line = self._line, []
        for waiting in line:
            if not waiting.turn.done():
                waiting.turn.set_exception(WorkersLost(why))

    async def take(self, urgency: int, what: str) -> T:
        """A place; waits while none is free. `what` is to run there. Raises Busy, WorkersLost."""
        if self._free:
            return self._free.pop(0)
        self._serial += 1
        loop = asyncio.get_running_loop()
        waiting: _Waiting[T] = _Waiting(urgency, self._serial, loop.create_future())
        heapq.heappush(self._line, waiting)
        deadline = loop.time() + TURN_SECONDS_MAX
        reason = f"{what} waits for a worker that is free"
        try:
            with self._waits.waiting(SUBJECT, reason, deadline):
                async with asyncio.timeout_at(deadline):
                    return await waiting.turn
        except TimeoutError:
            self._leave(waiting)
            raise Busy(f"no worker was free for {what} in {TURN_SECONDS_MAX:.0f} s") from None
        except asyncio.CancelledError:
            self._leave(waiting)
            raise

    def _leave(self, waiting: _Waiting[T]) -> None:
        """Who waited does not any more; a place that he was given meanwhile is the next one's."""
        if waiting in self._line:
            self._line.remove(waiting)
            heapq.heapify(self._line)
        turn = waiting.turn
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            self.give(turn.result())
