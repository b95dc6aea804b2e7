"""Refusals become events, for who asks why; but nobody fills the history with them."""

from __future__ import annotations

from quire.base.clock import Clock
from quire.base.events import EventBus

SECONDS, MOST = 10.0, 20  # so many in so long


class Refusals:
    """Those of one service. `kind`: of the events."""

    def __init__(self, kind: str, events: EventBus, clock: Clock) -> None:
        self._kind = kind
        self._events = events
        self._clock = clock
        self._since, self._told = 0.0, 0

    def tell(self, subject: str, what: str, code: str, text: str) -> None:
        """`what` was asked and answered with this code."""
        now = self._clock.monotonic()
        if now - self._since >= SECONDS:
            self._since, self._told = now, 0
        self._told += 1
        if self._told <= MOST:
            self._events.publish(self._kind, subject, f"{what} was answered with {code}: {text}")
