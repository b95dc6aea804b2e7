"""What happened in a run, one line each, and the digest by which two runs are compared."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from quire.base.events import Event
from quire.sim.clock import SimClock
from quire.sim.loop import START_SECONDS


class Trace:
    """Lines of `seconds node kind subject message`, in the order in which things happened."""

    def __init__(self, clock: SimClock) -> None:
        self.lines: list[str] = []
        self._clock = clock
        self._digest = sha256()
        self._listeners: list[Callable[[str], None]] = []

    def record(self, node: str, kind: str, subject: str, message: str) -> None:
        seconds = self._clock.monotonic() - START_SECONDS
        line = f"{seconds:12.6f} {node:10} {kind:24} {subject[-12:]:12} {message}"
        self.lines.append(line)
        self._digest.update(line.encode() + b"\n")
        for listener in self._listeners:
            listener(line)

    def event(self, node: str, event: Event) -> None:
        self.record(node, event.kind, event.subject, event.message)

    def listen(self, listener: Callable[[str], None]) -> None:
        self._listeners.append(listener)

    def digest(self) -> str:
        """SHA-256 of all lines so far, as hexadecimal text."""
        return self._digest.hexdigest()
