"""The clock of a simulated run: the loop's virtual time, on a calendar that starts at a fixed date.

The monotonic timeline is `loop.time()` itself, as in production, so deadlines of either kind agree.
"""

from __future__ import annotations

from quire.sim.loop import START_SECONDS, SimLoop

CALENDAR_START = 1_798_761_600.0  # 2027-01-01 00:00:00 UTC


class SimClock:
    """A `Clock` that reads a simulated loop."""

    def __init__(self, loop: SimLoop) -> None:
        self.skew_seconds = 0.0  # how far the calendar of this machine is off
        self.latest = CALENDAR_START  # the latest calendar time that this machine may have shown
        self._loop = loop

    def now(self) -> float:
        return CALENDAR_START + self._loop.time() - START_SECONDS + self.skew_seconds

    def turn(self, skew_seconds: float) -> None:
        """Set the calendar; the monotonic timeline goes on as if nothing had happened."""
        self.latest = max(self.latest, self.now())
        self.skew_seconds = skew_seconds

    def latest_now(self) -> float:
        """The latest calendar time up to this moment; what was to be kept until then may go."""
        return max(self.latest, self.now())

    def monotonic(self) -> float:
        return self._loop.time()
