"""What a cache of bounded size keeps: what is asked for often, not what was asked for last. Pure.

    new ─► small ─┬─ asked for again meanwhile ─► main ─► asked for since ─► back in line
                  └─ else it goes, and is remembered ─┐     └─ else it goes
    asked for again soon after that ──────────────────┴─► main

Most of what is asked for once is not asked for again: it passes through the small queue and takes
nothing from what is popular. Sizes do not count in the comparison: what is saved is bytes, and one
that is asked for often is worth the same in a large part as in a small one. Everything follows
from the order of calls.
Source   S3-FIFO (Yang et al. 2023); measured in docs/explain/caching.md
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

SMALL_SHARE = 0.15  # of the bytes, for what is new
COUNT_MAX = 3  # times asked for that count
REMEMBERED_SHARE = 0.9  # of the capacity: bytes of what went and is remembered by its key


class CachePolicy(Generic[K]):
    """Says what is to go; somebody else holds the bytes. Sizes in bytes."""

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self._counts: dict[K, int] = {}
        self._small: _Queue[K] = _Queue()
        self._main: _Queue[K] = _Queue()
        self._gone: _Queue[K] = _Queue()

    def __contains__(self, key: K) -> bool:
        return key in self._counts

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def used_bytes(self) -> int:
        return self._small.bytes + self._main.bytes

    def size(self, key: K) -> int:
        """0 for what is not in the cache."""
        return self._queue(key).sizes.get(key, 0)

    def count(self, key: K) -> int:
        """How often it was asked for, as far as that counts."""
        return self._counts.get(key, 0)

    def asked(self, key: K) -> bool:
        """A key was asked for; whether it is in the cache."""
        count = self._counts.get(key)
        if count is None:
            return False
        self._counts[key] = min(COUNT_MAX, count + 1)
        return True

    def add(self, key: K, size_bytes: int) -> None:
        """It is in the cache now, or has another size than before. To be followed by `evict`."""
        if key in self._counts:
            self._queue(key).resize(key, size_bytes)
            return
        was_here = self._gone.take(key) is not None
        (self._main if was_here else self._small).put(key, size_bytes)
        self._counts[key] = 0

    def remove(self, key: K) -> None:
        """It is not in the cache any more, for another reason than this policy."""
        if key in self._counts:
            self._queue(key).take(key)
            del self._counts[key]

    def evict(self, is_spared: Callable[[K], bool] | None = None) -> list[K]:
        """Take out what has to go for the rest to fit, and say what that is, in order. What is
        spared stays, whatever it takes."""
        spared, gone = is_spared or _nothing, []
        while self.used_bytes > self.capacity_bytes:
            key = self._next(spared)
            if key is None:
                break
            gone.append(key)
        return gone

    def _next(self, spared: Callable[[K], bool]) -> K | None:
        """The next that goes; None when all is spared."""
        is_small_full = self._small.bytes > SMALL_SHARE * self.capacity_bytes
        first, second = self._from_small, self._from_main
        if not is_small_full and self._main.sizes:
            first, second = second, first
        key = first(spared)
        return second(spared) if key is None else key

    def _from_small(self, spared: Callable[[K], bool]) -> K | None:
        while (key := self._small.oldest(spared)) is not None:
            size = self._small.take(key) or 0
            if not self._counts[key]:
                del self._counts[key]
                self._remember(key, size)
                return key
            self._counts[key] = 0
            self._main.put(key, size)
        return None

    def _from_main(self, spared: Callable[[K], bool]) -> K | None:
        while (key := self._main.oldest(spared)) is not None:
            size = self._main.take(key) or 0
            if not self._counts[key]:
                del self._counts[key]
                return key
            self._counts[key] -= 1
            self._main.put(key, size)
        return None

    def _remember(self, key: K, size: int) -> None:
        self._gone.put(key, size)
        while self._gone.bytes > REMEMBERED_SHARE * self.capacity_bytes:
            self._gone.take(next(iter(self._gone.sizes)))

    def _queue(self, key: K) -> _Queue[K]:
        return self._small if key in self._small.sizes else self._main


class _Queue(Generic[K]):
    """Keys with their sizes, first in first."""

    def __init__(self) -> None:
        self.sizes: OrderedDict[K, int] = OrderedDict()
        self.bytes = 0

    def oldest(self, spared: Callable[[K], bool]) -> K | None:
        return next((key for key in self.sizes if not spared(key)), None)

    def put(self, key: K, size: int) -> None:
        self.sizes[key] = size
        self.bytes += size

    def resize(self, key: K, size: int) -> None:
        self.bytes += size - self.sizes[key]
        self.sizes[key] = size

    def take(self, key: K) -> int | None:
        size = self.sizes.pop(key, None)
        self.bytes -= size or 0
        return size


def _nothing(_: object) -> bool:
    return False
