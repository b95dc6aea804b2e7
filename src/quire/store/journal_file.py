"""The journal in a database file of its own: one writer thread, durable at each write; writes that
wait for it share a sync."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from quire.base.clock import Clock
from quire.base.errors import QuireError, StoreCorrupt
from quire.store.journal import NOTES_MAX, Note, Record
from quire.store.meta import connect_file
from quire.store.rows import Rows, mapped

PRIVATE_MODE = 0o600  # of a new journal and its side files: vouchers and debts are in it
FORMAT_VERSION = 1  # kept in user_version; a database of a newer version is refused
APPLICATION_ID = 0x51_55_49_4A  # "QUIJ"


@dataclass(frozen=True, slots=True)
class JournalWords:
    """What a journal is called, and what to do when it is damaged ({reason})."""

    name: str
    advice: str


MARKET = JournalWords(
    "the journal of the market",
    "the journal of the market is damaged ({reason}). Stop the node, keep a copy of the data "
    "directory, then restore market.db from a backup, or move it away: purchases and slots are "
    "then read from the chain, their histories are lost",
)

TABLES = """
-- serial: order of creation.
CREATE TABLE record (
  serial INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
  UNIQUE (kind, key));
CREATE TABLE note (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, at REAL NOT NULL,
  note TEXT NOT NULL);
CREATE INDEX note_of ON note (kind, key, id);
"""

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Entry:
    """One call of `write`."""

    records: Sequence[Record]
    is_done: bool = False
    error: QuireError | None = None


class FileJournal:
    """Implements `Journal`. `executor` has one thread, or is a simulated one with one lane."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        executor: Executor,
        clock: Clock,
        words: JournalWords = MARKET,
    ) -> None:
        self._executor = executor
        self._clock = clock
        self._waiting: deque[_Entry] = deque()  # filled by the loop, emptied by the thread
        self._words = words
        with mapped(words.name, words.advice):
            self._rows = Rows(connect(), words.name, words.advice)
        try:
            self._prepare()
        except BaseException:
            self._rows.close()
            raise

    async def write(self, records: Sequence[Record]) -> None:
        entry = _Entry(records)
        self._waiting.append(entry)
        await self._run(lambda: self._finish(entry))

    async def read(self, kind: str) -> dict[str, bytes]:
        sql = "SELECT key, value FROM record WHERE kind = ? ORDER BY serial"
        return dict(await self._run(lambda: self._rows.all(sql, kind)))

    async def history(self, kind: str, key: str) -> list[Note]:
        sql = "SELECT at, note FROM note WHERE kind = ? AND key = ? ORDER BY id"
        return [Note(*row) for row in await self._run(lambda: self._rows.all(sql, kind, key))]

    async def close(self) -> None:
        await self._run(self._rows.close)
        self._executor.shutdown(wait=False)

    # ---- inside; on the writer's thread ----

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _finish(self, entry: _Entry) -> None:
        """Write what waits, one sync for all, unless an earlier call has written this entry."""
        if not entry.is_done:
            batch = []
            while self._waiting:
                batch.append(self._waiting.popleft())
            try:
                self._write([record for each in batch for record in each.records])
            except QuireError as error:
                if len(batch) == 1:
                    entry.error = error
                else:  # one of them is at fault, and only that one is to hear of it
                    self._write_each(batch)
            except BaseException:
                self._waiting.extendleft(reversed(batch[1:]))  # the first is that of this call
                raise
            for each in batch:
                each.is_done = True
        if entry.error is not None:
            raise entry.error

    def _write_each(self, batch: Sequence[_Entry]) -> None:
        for entry in batch:
            try:
                self._write(entry.records)
            except QuireError as error:
                entry.error = error

    def _write(self, records: Sequence[Record]) -> None:
        self._rows.run("BEGIN IMMEDIATE")
        try:
            for record in records:
                self._put(record)
            self._rows.run("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                if self._rows.connection.in_transaction:
                    self._rows.connection.execute("ROLLBACK")
            raise

    def _put(self, record: Record) -> None:
        thing = (record.kind, record.key)
        if record.value is None:
            self._rows.run("DELETE FROM record WHERE kind = ? AND key = ?", *thing)
            self._rows.run("DELETE FROM note WHERE kind = ? AND key = ?", *thing)
            return
        self._rows.run(
            "INSERT INTO record (kind, key, value) VALUES (?, ?, ?) "
            "ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
            *thing,
            record.value,
        )
        if not record.note:
            return
        self._rows.run(
            "INSERT INTO note (kind, key, at, note) VALUES (?, ?, ?, ?)",
            *thing,
            self._clock.now(),
            record.note,
        )
        self._rows.run(
            "DELETE FROM note WHERE kind = ?1 AND key = ?2 AND id <= (SELECT id FROM note "
            "WHERE kind = ?1 AND key = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
            *thing,
            NOTES_MAX,
        )

    def _prepare(self) -> None:
        """Make a new database or check an old one. Raises StoreCorrupt."""
        version = self._rows.one("PRAGMA user_version")[0]
        if version > FORMAT_VERSION:
            raise StoreCorrupt(
                f"{self._words.name} has format {version}, this version of Quire reads up to "
                f"{FORMAT_VERSION}; use a newer version of Quire"
            )
        if version == 0 and not self._rows.all("SELECT name FROM sqlite_master"):
            self._rows.script(
                f"BEGIN IMMEDIATE; {TABLES} PRAGMA application_id={APPLICATION_ID}; "
                f"PRAGMA user_version={FORMAT_VERSION}; COMMIT;"
            )
        elif version == 0 or self._rows.one("PRAGMA application_id")[0] != APPLICATION_ID:
            raise StoreCorrupt(self._words.advice.format(reason="it is not a journal of Quire"))
        found = self._rows.one("PRAGMA quick_check(1)")[0]
        if found != "ok":
            raise StoreCorrupt(self._words.advice.format(reason=found))


def open_journal(path: Path, clock: Clock, words: JournalWords = MARKET) -> FileJournal:
    """The journal in a file, made if it is not there. Raises StoreCorrupt, EnvironmentProblem."""
    executor = ThreadPoolExecutor(1, thread_name_prefix="quire-journal")
    with suppress(OSError):  # connecting says what is wrong
        path.touch(PRIVATE_MODE)  # of a file that is there already nothing changes
    try:
        return FileJournal(lambda: connect_file(path, APPLICATION_ID), executor, clock, words)
    except BaseException:
        executor.shutdown(wait=False)
        raise
