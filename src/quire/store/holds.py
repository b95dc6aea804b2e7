"""Trees that somebody is reading or fetching, so that they are not taken apart meanwhile.

A held dataset is not collected when its time is over, but at the next collection after the last
hold ends. One that is deleted on request is gone for everybody else at once; those who hold its
tree read on, and its space is given back when they end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from quire.store.treecache import TreeEntry


class Holds:
    """Held and asked on the loop's thread, asked also by worker threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: dict[int, int] = {}  # tree id -> holds
        self._entries: dict[bytes, dict[int, TreeEntry]] = {}  # root -> tree id -> tree
        self.on_end: Callable[[], None] = _nothing

    @contextmanager
    def hold(self, entry: TreeEntry) -> Iterator[None]:
        with self._lock:
            self._held[entry.id] = self._held.get(entry.id, 0) + 1
            self._entries.setdefault(entry.root, {})[entry.id] = entry
        try:
            yield
        finally:
            with self._lock:
                self._held[entry.id] -= 1
                is_last = self._held[entry.id] == 0
                if is_last:
                    del self._held[entry.id]
                    same_root = self._entries[entry.root]
                    del same_root[entry.id]
                    if not same_root:
                        del self._entries[entry.root]
            if is_last:
                self.on_end()

    def entry(self, root: bytes) -> TreeEntry | None:
        """The newest held tree with this root, which need not be in the index any more."""
        found = self._entries.get(root)
        return None if found is None else found[max(found)]

    def entries(self, root: bytes) -> list[TreeEntry]:
        """All held trees with this root: deleted ones whose blocks are still here among them."""
        return list(self._entries.get(root, {}).values())

    def roots(self) -> list[bytes]:
        """Of the trees that are held now. A dataset that is committed anew while its tree is held
        has another tree with the same root."""
        with self._lock:
            return list(self._entries)

    def tree_ids(self) -> list[int]:
        """Trees that are held now."""
        with self._lock:
            return sorted(self._held)


def _nothing() -> None:
    """Until a reclaimer listens."""
