"""The clock of a simulated run: the loop's virtual time, on a calendar that starts at a fixed date.

The monotonic timeline is `loop.time()` itself, as in production, so deadlines of either kind agree.
"""

from __future__ import annotations

from quire.sim.loop import START_SECONDS, SimLoop

CALENDAR_START = 1_798_761_600.0  # 2027-01-01 00:00:00 UTC


class SimClock:
    """A `Clock` that reads a simulated loop."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return CALENDAR_START + self._loop.time() - START_SECONDS

    def monotonic(self) -> float:
        return self._loop.time()
