"""How long a command goes on trying when the node does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from quire.base.errors import Busy, DeadlineExceeded, NodeUnreachable, PeerError, QuireError
from quire.base.units import format_duration

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 3.0
STALL_SECONDS = 30.0  # a connection on which nothing moves for so long is given up
PASSING = (NodeUnreachable, Busy, DeadlineExceeded, PeerError)  # may be otherwise in a moment


class Patience:
    """Counts the time since something was gained last."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._since = monotonic()
        self._gained = -1
        self._pause = FIRST_PAUSE_SECONDS

    def gained(self, done: int) -> None:
        """So much is done; more than before gives new patience."""
        if done > self._gained:
            self._gained = done
            self._since = self._monotonic()
            self._pause = FIRST_PAUSE_SECONDS

    @asynccontextmanager
    async def connection(
        self, report: Callable[[int], None] | None = None
    ) -> AsyncGenerator[Callable[[int], None], None]:
        """Gives what is to be called with the bytes done whenever something moves, which then goes
        to `report`. Raises DeadlineExceeded when nothing moves for too long."""
        loop = asyncio.get_running_loop()
        seconds = min(STALL_SECONDS, self._seconds)
        try:
            async with asyncio.timeout(seconds) as timer:

                def moved(done: int) -> None:
                    timer.reschedule(loop.time() + seconds)
                    if report is not None:
                        report(done)

                yield moved
        except TimeoutError:
            reason = f"nothing moved on the connection for {format_duration(seconds)}"
            raise DeadlineExceeded(reason) from None

    @property
    def left_seconds(self) -> float:
        return max(0.0, self._since + self._seconds - self._monotonic())

    async def after(self, error: QuireError) -> None:
        """Wait a little before the next attempt. Raises the error when it will not pass, or when
        nothing was gained for too long."""
        if not isinstance(error, PASSING):
            raise error
        if self.left_seconds <= self._pause:
            error.message += f"; nothing was gained for {format_duration(self._seconds)}"
            raise error
        await asyncio.sleep(self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
