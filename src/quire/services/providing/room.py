"""Room for replicas: what is promised to clients and has not been written yet.

It is kept free in the store's quota; bytes that are being written leave the promise first, because
the store counts them itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from quire.store.dataset import Space

TENANTS = "replicas"  # as the quota calls them


class QuotaPort(Protocol):
    """What is needed of the store."""

    def space(self) -> Space: ...

    def offer(self, size_bytes: int, to: str) -> None: ...


class Room:
    """`most_bytes`: for all replicas together; None: whatever the quota has."""

    def __init__(self, store: QuotaPort, most_bytes: int | None) -> None:
        self._store = store
        self._most_bytes = most_bytes
        self._held: dict[bytes, int] = {}  # by link: all its bytes
        self._pending: dict[bytes, int] = {}  # by link: those that are not here yet
        self._held_sum = self._pending_sum = 0

    @property
    def held_bytes(self) -> int:
        """Of all replicas, promised or here."""
        return self._held_sum

    def free_bytes(self) -> int:
        """What can be promised to others."""
        space = self._store.space()
        free = space.quota_max_bytes - space.quota_used_bytes - space.quota_reserved_bytes
        if self._most_bytes is not None:
            free = min(free, self._most_bytes - self._held_sum)
        return max(0, free)

    def hold(self, link_id: bytes, size_bytes: int, here_bytes: int = 0) -> None:
        """A replica of this size, of which so much is here, has its room from now on."""
        self.give_back(link_id)
        self._held[link_id] = size_bytes
        self._held_sum += size_bytes
        self._set(link_id, size_bytes - here_bytes)

    def give_back(self, link_id: bytes) -> None:
        """Harmless when it has none."""
        self._held_sum -= self._held.pop(link_id, 0)
        self._set(link_id, 0)

    @contextmanager
    def writing(self, link_id: bytes, size_bytes: int) -> Iterator[None]:
        """While bytes of a replica are handed to the store, which counts them from then on. When
        that fails they are promised again."""
        taken = min(size_bytes, self._pending.get(link_id, 0))
        self._set(link_id, self._pending.get(link_id, 0) - taken)
        try:
            yield
        except BaseException:
            if link_id in self._held:
                self._set(link_id, self._pending.get(link_id, 0) + taken)
            raise

    def _set(self, link_id: bytes, pending: int) -> None:
        self._pending_sum += pending - self._pending.pop(link_id, 0)
        if pending:
            self._pending[link_id] = pending
        self._store.offer(self._pending_sum, TENANTS)
