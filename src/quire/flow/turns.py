"""One request at a time for each upload; whoever comes last goes first.

A client that was cut off comes back before the node has noticed. So a new request does not wait for
the one that still listens to a dead connection: it stops that one's reading, and then it is its
turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from quire.base.errors import Busy

TURN_SECONDS = 30.0  # for the request before to come to its end


@dataclass(slots=True)
class Turn:
    """The use of one upload. Requests for it queue at the lock."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    reading: asyncio.Task[None] | None = None
    received: int = 0  # bytes of the upload that are here, durable or not

    async def read(self, work: Coroutine[object, object, None]) -> None:
        """Run `work`, which the next request may stop. Raises what it raises, Busy when stopped."""
        reading = asyncio.get_running_loop().create_task(work, name="upload body")
        self.reading = reading
        try:
            await asyncio.wait([reading])
        finally:
            self.reading = None
            reading.cancel()
            await asyncio.wait([reading])
        if reading.cancelled():
            raise Busy("the upload was interrupted here; ask how far it is and go on from there")
        reading.result()

    def stop(self) -> None:
        if self.reading is not None:
            self.reading.cancel()


class Turns:
    """The turns of all uploads that are in use, by id."""

    def __init__(self) -> None:
        self._turns: dict[str, Turn] = {}

    def find(self, upload_id: str) -> Turn | None:
        """Whoever uses the upload at this moment."""
        return self._turns.get(upload_id)

    @asynccontextmanager
    async def of(self, upload_id: str) -> AsyncGenerator[Turn, None]:
        """Be the only one who uses the upload. Raises Busy."""
        turn = self._turns.setdefault(upload_id, Turn())
        turn.users += 1
        try:
            turn.stop()
            try:
                async with asyncio.timeout(TURN_SECONDS):
                    await turn.lock.acquire()
            except TimeoutError:
                raise Busy("another request does not let go of this upload; try again") from None
            try:
                yield turn
            finally:
                turn.lock.release()
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[upload_id]

    async def end(self) -> None:
        """Stop all readings, and wait until nobody uses an upload."""
        for turn in list(self._turns.values()):
            turn.stop()
        for turn in list(self._turns.values()):
            async with turn.lock:
                pass
