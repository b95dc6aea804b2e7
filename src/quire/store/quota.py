"""How much the store may hold. Belongs to the loop's thread."""

from __future__ import annotations

from quire.base.errors import QuotaExceeded
from quire.base.invariant import invariant
from quire.base.units import format_size
from quire.store.catalog import Counts
from quire.store.dataset import Space


class Quota:
    """Mirrors the counters of the index and adds what is promised to running writes."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._counts = Counts(0, 0, 0, 0)
        self._reserved_bytes = 0
        self._offered: dict[str, int] = {}

    def update(self, counts: Counts) -> None:
        self._counts = counts

    def reserve(self, size_bytes: int) -> None:
        """Promise bytes to a write. Raises QuotaExceeded."""
        taken = self._counts.used_bytes + self._reserved_bytes + sum(self._offered.values())
        if taken + size_bytes > self.max_bytes:
            free = max(0, self.max_bytes - taken)
            raise QuotaExceeded(
                f"{format_size(size_bytes)} do not fit: {format_size(free)} of the quota of "
                f"{format_size(self.max_bytes)} are left",
                needed_bytes=size_bytes,
                free_bytes=free,
            )
        self._reserved_bytes += size_bytes

    def release(self, size_bytes: int) -> None:
        """Take a promise back: the bytes are in the index now, or will never come."""
        invariant(size_bytes <= self._reserved_bytes, "more released than was reserved")
        self._reserved_bytes -= size_bytes

    def offer(self, size_bytes: int, to: str) -> None:
        """So much is kept free for a kind of tenants, from now on, whatever it was before."""
        self._offered[to] = size_bytes

    def space(self) -> Space:
        return Space(
            total_blocks=self._counts.blocks + self._counts.manifests,
            quota_max_bytes=self.max_bytes,
            quota_used_bytes=self._counts.used_bytes,
            quota_reserved_bytes=self._reserved_bytes + sum(self._offered.values()),
        )


class Reservation:
    """What one write was promised; grows with the write and ends with it."""

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._held_bytes = 0

    def cover(self, size_bytes: int) -> None:
        """Hold at least this much. Raises QuotaExceeded."""
        missing = size_bytes - self._held_bytes
        if missing > 0:
            self._quota.reserve(missing)
            self._held_bytes += missing

    def release(self, size_bytes: int) -> None:
        """So much is in the index now."""
        self._quota.release(size_bytes)
        self._held_bytes -= size_bytes

    def shrink(self, size_bytes: int) -> None:
        """Hold no more than this."""
        self.release(max(0, self._held_bytes - size_bytes))

    def end(self) -> None:
        self.release(self._held_bytes)
