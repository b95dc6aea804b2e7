"""Every wait has a deadline and a reason, and both can be read while it lasts.

A wait is registered for as long as it lasts; the API and `quire why` list what is being waited
for, since when, and when it ends at the latest.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from quire.base.clock import Clock


@dataclass(slots=True)
class Wait:
    """One thing that is being waited for. `reason` may be rewritten while it lasts."""

    serial: int
    subject: str
    reason: str
    since: float
    deadline: float  # monotonic seconds

    def as_dict(self, now: float) -> dict[str, object]:
        return {
            "subject": self.subject,
            "reason": self.reason,
            "waitedSeconds": round(now - self.since, 3),
            "remainingSeconds": round(max(0.0, self.deadline - now), 3),
        }


class Waits:
    """The register of all waits of one node."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._serial = 0
        self._open: dict[int, Wait] = {}

    @contextmanager
    def waiting(self, subject: str, reason: str, deadline: float) -> Iterator[Wait]:
        """Register a wait for the length of the block. `deadline` is in monotonic seconds."""
        self._serial += 1
        wait = Wait(self._serial, subject, reason, self._clock.monotonic(), deadline)
        self._open[wait.serial] = wait
        try:
            yield wait
        finally:
            del self._open[wait.serial]

    def of(self, subject: str | None = None) -> list[dict[str, object]]:
        """Open waits as data, oldest first, of one subject or of all."""
        now = self._clock.monotonic()
        return [
            w.as_dict(now) for w in self._open.values() if subject is None or w.subject == subject
        ]
