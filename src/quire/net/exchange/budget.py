"""The bytes that may be in flight, shared by all jobs: memory stays flat whatever is fetched."""

from __future__ import annotations

from collections.abc import Callable

from quire.base.invariant import invariant


class Budget:
    """A counter with a limit. Whoever found it empty is called, in turn, when bytes come back."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._waiting: dict[Callable[[], None], None] = {}

    def has_room(self, size_bytes: int, on_room: Callable[[], None]) -> bool:
        """Whether bytes are free; if not, `on_room` is called when they may be.

        An empty budget has room for one reservation however large, so that nothing waits for ever.
        """
        if self.used_bytes and self.used_bytes + size_bytes > self.limit_bytes:
            self._waiting[on_room] = None
            return False
        return True

    def take(self, size_bytes: int) -> None:
        """Reserve bytes that there is room for."""
        self.used_bytes += size_bytes

    def give(self, size_bytes: int) -> None:
        """Bytes are free again."""
        self.used_bytes -= size_bytes
        invariant(self.used_bytes >= 0, "more bytes came back than were taken")
        waiting, self._waiting = self._waiting, {}
        for on_room in waiting:
            on_room()
        for first in list(waiting)[:1]:  # it had its turn: the others come before it next time
            if self._waiting.pop(first, first) is None:
                self._waiting[first] = None

    def forget(self, on_room: Callable[[], None]) -> None:
        self._waiting.pop(on_room, None)
