"""Reads every block again, at a modest rate, and finds what the disk has lost before a user does.

    [read a little from the medium] -> damaged blocks count as missing -> asked from other nodes
            ^___________ pause, so that the rate is kept; longer while readers are busy

The position survives a restart. A pass that has ended begins again when the next is due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.errors import QuireError
from quire.base.events import EventBus
from quire.base.units import MIB, format_size
from quire.services.repair import Repairer
from quire.store.store import Store

STEP_BYTES = 4 * MIB
NOTE_SECONDS = 60.0  # between notes of the position
PASS_SECONDS = 7 * 86_400.0  # a pass begins at most so often
REPAIR_SECONDS = 600.0  # between attempts to get what is still missing
BUSY_SECONDS = 2.0  # pause while readers or writers are at work
POSITION, READ, LOST, ENDED = "scrub.position", "scrub.read", "scrub.lost", "scrub.ended"


@dataclass(frozen=True, slots=True)
class ScrubStatus:
    """`state`: off, reading, paused, resting. Times in unix seconds."""

    state: str
    read_bytes: int  # of this pass
    total_bytes: int
    lost_blocks: int  # in all passes together
    last_ended_at: float | None
    next_at: float | None


class Scrub:
    """`rate_bytes` a second; 0: never. `is_busy` is asked before each step."""

    def __init__(
        self,
        store: Store,
        repairer: Repairer,
        clock: Clock,
        events: EventBus,
        *,
        rate_bytes: int,
    ) -> None:
        self._store = store
        self._repairer = repairer
        self._clock = clock
        self._events = events
        self._rate_bytes = rate_bytes
        self._state = "resting" if rate_bytes else "off"
        self._position = 0
        self._read_bytes = self._lost_blocks = self._total_bytes = 0
        self._ended_at: float | None = None
        self._repair_due = 0.0  # monotonic seconds
        self._asked = asyncio.Event()
        self.is_busy: Callable[[], bool] = _never

    def begin(self) -> None:
        """Begin a pass now, if none is under way."""
        self._asked.set()

    def status(self) -> ScrubStatus:
        next_at = None if self._ended_at is None else self._ended_at + PASS_SECONDS
        return ScrubStatus(
            self._state,
            self._read_bytes,
            max(self._total_bytes, self._read_bytes),
            self._lost_blocks,
            self._ended_at,
            next_at if self._state == "resting" else None,
        )

    async def run(self) -> None:
        """Pass after pass, until cancelled."""
        if not self._rate_bytes:
            return
        await self._recall()
        while True:
            try:
                await self._rest()
                await self._read_all()
            except QuireError as error:
                self._events.publish("scrub.failed", "", error.message, code=error.code)
                await asyncio.sleep(REPAIR_SECONDS)

    async def _rest(self) -> None:
        """Wait until a pass is due; meanwhile try to get what is still missing."""
        while self._position == 0 and not self._asked.is_set():
            self._state = "resting"
            await self._repair()
            due = 0.0 if self._ended_at is None else self._ended_at + PASS_SECONDS
            left = due - self._clock.now()
            if left <= 0:
                return
            try:
                loop = asyncio.get_running_loop()
                async with asyncio.timeout_at(loop.time() + min(left, REPAIR_SECONDS)):
                    await self._asked.wait()
            except TimeoutError:
                continue

    async def _read_all(self) -> None:
        """One pass, from where the last run stopped."""
        self._asked.clear()
        self._total_bytes = await self._store.present_bytes()
        noted_at = self._clock.monotonic()
        while True:
            while self.is_busy():
                self._state = "paused"
                await asyncio.sleep(BUSY_SECONDS)
            self._state = "reading"
            began = self._clock.monotonic()
            step = await self._store.scan(self._position, STEP_BYTES)
            self._read_bytes += step.read_bytes
            self._lost_blocks += step.lost_leaves
            if step.position is None:
                break
            self._position = step.position
            now = self._clock.monotonic()
            if step.lost_leaves or now - noted_at >= NOTE_SECONDS:
                noted_at = now
                await self._note()
            if step.lost_leaves:
                await self._repair()
            await asyncio.sleep(max(0.0, began + step.read_bytes / self._rate_bytes - now))
        read, self._position, self._read_bytes = self._read_bytes, 0, 0
        self._ended_at = self._clock.now()
        await self._note()
        if read:
            self._events.publish(
                "scrub.done",
                "",
                f"{format_size(read)} were read again; {self._lost_blocks} blocks were ever lost",
                bytes=read,
            )

    async def _repair(self) -> None:
        now = self._clock.monotonic()
        if now >= self._repair_due:
            self._repair_due = now + REPAIR_SECONDS
            await self._repairer.repair()

    async def _recall(self) -> None:
        noted = [await self._store.setting(name) for name in (POSITION, READ, LOST, ENDED)]
        position, read, lost, ended = noted
        self._position = position if isinstance(position, int) else 0
        self._read_bytes = read if isinstance(read, int) else 0
        self._lost_blocks = lost if isinstance(lost, int) else 0
        self._ended_at = ended if isinstance(ended, float) else None

    async def _note(self) -> None:
        await self._store.note(
            {
                POSITION: self._position,
                READ: self._read_bytes,
                LOST: self._lost_blocks,
                ENDED: self._ended_at,
            }
        )


def _never() -> bool:
    return False
