"""A bounded memory of recently used values, shared between threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lru(Generic[K, V]):
    """Keeps values up to a total cost; the least recently used go first.

    A value that was loaded while something was forgotten may be stale: `epoch` is taken before
    loading and given to `put`, which then keeps nothing.
    """

    def __init__(self, cost_max: int, cost: Callable[[V], int]) -> None:
        self._cost_max = cost_max
        self._cost = cost
        self._held: OrderedDict[K, V] = OrderedDict()
        self._total = 0
        self._epoch = 0
        self._lock = Lock()

    @property
    def epoch(self) -> int:
        return self._epoch

    def get(self, key: K) -> V | None:
        with self._lock:
            value = self._held.get(key)
            if value is not None:
                self._held.move_to_end(key)
            return value

    def put(self, key: K, value: V, epoch: int) -> None:
        with self._lock:
            if epoch != self._epoch:
                return
            old = self._held.pop(key, None)
            if old is not None:
                self._total -= self._cost(old)
            self._held[key] = value
            self._total += self._cost(value)
            while self._total > self._cost_max and len(self._held) > 1:
                _, gone = self._held.popitem(last=False)
                self._total -= self._cost(gone)

    def forget(self, concerns: Callable[[K], bool]) -> None:
        """Drop the entries whose key `concerns` accepts, and whatever is being loaded now."""
        with self._lock:
            self._epoch += 1
            for key in [key for key in self._held if concerns(key)]:
                self._total -= self._cost(self._held.pop(key))
