"""Blocks that an unfinished write counts on, so that a deletion does not take them away.

A write first pins a digest, then looks whether the block is in the index. A deletion first marks
the digest as dying, unless it is pinned, then takes it out. Whichever comes first wins, whatever
each sees of the index meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock


class Pins:
    """Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pinned: dict[bytes, int] = {}
        self._dying: set[bytes] = set()

    def pin(self, digests: Iterable[bytes]) -> list[bytes]:
        """Pin those that are not being deleted just now; returns them."""
        with self._lock:
            taken = [digest for digest in digests if digest not in self._dying]
            for digest in taken:
                self._pinned[digest] = self._pinned.get(digest, 0) + 1
            return taken

    def unpin(self, digests: Iterable[bytes]) -> None:
        with self._lock:
            for digest in digests:
                left = self._pinned[digest] - 1
                if left:
                    self._pinned[digest] = left
                else:
                    del self._pinned[digest]

    def condemn(self, digests: Iterable[bytes]) -> set[bytes]:
        """Announce a deletion; the digests that are pinned and must stay. Ends with `spare`."""
        with self._lock:
            wanted = set(digests)
            pinned = {digest for digest in wanted if digest in self._pinned}
            self._dying |= wanted - pinned
            return pinned

    def spare(self) -> None:
        """The deletion is committed, or has failed."""
        with self._lock:
            self._dying = set()
