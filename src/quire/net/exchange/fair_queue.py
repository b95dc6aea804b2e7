"""Whom to serve next: deficit round robin over peers, first in first out within a peer.

Each round gives every waiting peer the same number of bytes; what it does not use now it may use
next time. A peer with a thousand requests therefore waits behind a peer with one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Items with a cost in bytes, in one line per key."""

    def __init__(self, quantum_bytes: int) -> None:
        self._quantum = quantum_bytes
        self._lines: dict[str, deque[tuple[int, Item]]] = {}  # in turn order
        self._credit: dict[str, int] = {}

    def push(self, key: str, cost_bytes: int, item: Item) -> None:
        self._lines.setdefault(key, deque()).append((cost_bytes, item))

    def pop(self, may_serve: Callable[[str], bool]) -> tuple[str, int, Item] | None:
        """The next item of a key that may be served now; None when there is none."""
        ready = [key for key in self._lines if may_serve(key)]
        if not ready:
            return None
        while True:
            for key in ready:
                cost, item = self._lines[key][0]
                credit = self._credit.get(key, 0)
                if credit >= cost:
                    self._credit[key] = credit - cost
                    self._lines[key].popleft()
                    if not self._lines[key]:
                        self._drop(key)
                    return key, cost, item
                # Its turn is over; the credit of the next round is added when it goes to the back.
                self._credit[key] = credit + self._quantum
                self._lines[key] = self._lines.pop(key)

    def remove(self, key: str, item: Item) -> int | None:
        """Take an item out; its cost, or None when it is not there."""
        line = self._lines.get(key, deque())
        for entry in line:
            if entry[1] == item:
                line.remove(entry)
                if not line:
                    self._drop(key)
                return entry[0]
        return None

    def clear(self, key: str) -> None:
        """Forget all items of a key."""
        if key in self._lines:
            self._drop(key)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Each key with the number of its items."""
        return iter([(key, len(line)) for key, line in self._lines.items()])

    def _drop(self, key: str) -> None:
        del self._lines[key]
        self._credit.pop(key, None)
