"""The journal in memory, with loss of power: for tests and the simulator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from quire.base.clock import Clock
from quire.store.journal import NOTES_MAX, Note, Record

Moment = Callable[[Sequence[Record]], Awaitable[None]]


class MemoryJournal:
    """Implements `Journal`.

    `before` is awaited for each write before it is durable, `after` when it is and the writer has
    not heard of it: a writer that is cancelled or fails there was lost to a crash. `reopened` is
    what the next start finds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[tuple[str, str], bytes] = {}
        self._notes: dict[tuple[str, str], list[Note]] = {}
        self.before: Moment = _go_on
        self.after: Moment = _go_on

    async def write(self, records: Sequence[Record]) -> None:
        await self.before(records)
        for record in records:
            self._put(record)
        await self.after(records)

    async def read(self, kind: str) -> dict[str, bytes]:
        return {key: value for (of, key), value in self._records.items() if of == kind}

    async def history(self, kind: str, key: str) -> list[Note]:
        return list(self._notes.get((kind, key), ()))

    async def close(self) -> None:
        """Nothing is held."""

    def reopened(self) -> MemoryJournal:
        """Another journal with what is durable of this one."""
        twin = MemoryJournal(self._clock)
        twin._records = dict(self._records)
        twin._notes = {thing: list(notes) for thing, notes in self._notes.items()}
        return twin

    def _put(self, record: Record) -> None:
        thing = (record.kind, record.key)
        if record.value is None:
            self._records.pop(thing, None)
            self._notes.pop(thing, None)
            return
        self._records[thing] = record.value
        if record.note:
            notes = self._notes.setdefault(thing, [])
            notes.append(Note(self._clock.now(), record.note))
            del notes[:-NOTES_MAX]


async def _go_on(_: Sequence[Record]) -> None:
    """No crash."""
