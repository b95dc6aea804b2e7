"""One direction of a line with delay: what goes in comes out later, in order, at a bounded rate.

    push(item, size) -> due = max(now, line free) + delay + jitter, never before the one ahead
                     -> deliver([items that are due])

Used by the proxy (`delay_proxy.py`: bytes and datagrams) and the wire (`delay_wire.py`: packets).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

Item = TypeVar("Item")

_EARLY_SECONDS = 0.0005  # the event loop wakes up to a millisecond late: aim at the middle


@dataclass(frozen=True, slots=True)
class Shape:
    """What a direction does to what it carries."""

    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0  # up to so much more, at random; the order stays
    bytes_per_second: float | None = None  # None is as fast as the machine
    held_bytes: int = 64 << 20  # at most on the line and before it


class DelayLine(Generic[Item]):
    """Holds items until they are due and hands them over in batches."""

    def __init__(self, shape: Shape, rng: Random, deliver: Callable[[list[Item]], None]) -> None:
        self.held_bytes = 0
        self._shape = shape
        self._rng = rng
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._line: deque[tuple[float, int, Item]] = deque()
        self._free_at = 0.0  # when the rate allows the next item to enter
        self._last_due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_full(self) -> bool:
        return self.held_bytes >= self._shape.held_bytes

    def push(self, item: Item, size_bytes: int) -> None:
        """Put an item on the line."""
        shape, now = self._shape, self._loop.time()
        entered = max(now, self._free_at)
        if shape.bytes_per_second is not None:
            entered += size_bytes / shape.bytes_per_second
            self._free_at = entered
        late = self._rng.random() * shape.jitter_seconds if shape.jitter_seconds else 0.0
        self._last_due = max(entered + shape.delay_seconds + late, self._last_due)
        self.held_bytes += size_bytes
        self._line.append((self._last_due, size_bytes, item))
        if self._timer is None:
            self._set_timer()

    def close(self) -> None:
        """Drop what is on the line."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._line.clear()

    def _set_timer(self) -> None:
        at = self._line[0][0] - _EARLY_SECONDS
        self._timer = self._loop.call_at(at, self._run)

    def _run(self) -> None:
        self._timer = None
        until = self._loop.time() + _EARLY_SECONDS
        due: list[Item] = []
        while self._line and self._line[0][0] <= until:
            _, size, item = self._line.popleft()
            self.held_bytes -= size
            due.append(item)
        if due:
            self._deliver(due)
        if self._line and self._timer is None:
            self._set_timer()
