"""A connection to the metadata database, with SQLite's errors turned into Quire's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import RLock
from typing import Any

from quire.base.errors import DiskFull, EnvironmentProblem, StoreCorrupt, StoreLocked

METADATA = "the metadata database of the store"
CORRUPT_ADVICE = (
    "the metadata database of the store is damaged ({reason}). Stop the node, keep a copy of the "
    "data directory, then restore meta.sqlite from a backup, or move the directory away and fetch "
    "the datasets again by their CIDs"
)


@contextmanager
def mapped(name: str = METADATA, advice: str = CORRUPT_ADVICE) -> Iterator[None]:
    """Raise DiskFull, StoreLocked, StoreCorrupt or EnvironmentProblem for SQLite's errors.

    name    of the database, in messages
    advice  when it is damaged; `{reason}` is put in"""
    try:
        yield
    except sqlite3.Error as error:
        if isinstance(error, sqlite3.ProgrammingError):
            raise EnvironmentProblem(f"{name} is closed ({error})") from error
        code = getattr(error, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF
        if primary == sqlite3.SQLITE_FULL:
            raise DiskFull(f"no space left on the disk for {name}") from error
        if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreLocked(f"another program holds {name} open") from error
        if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
            raise StoreCorrupt(advice.format(reason=error)) from error
        if code is not None:
            raise EnvironmentProblem(
                f"{name} cannot be used ({error}); "
                "check the disk and the permissions of the data directory"
            ) from error
        raise


class Rows:
    """One connection, used by one thread at a time."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        name: str = METADATA,
        advice: str = CORRUPT_ADVICE,
    ) -> None:
        self.connection = connection
        self._mapped = partial(mapped, name, advice)
        self.lock = RLock()
        self.has_garbage = False  # something was condemned or freed: work for the reclaimer

    def close(self) -> None:
        """Waits for the statement that another thread is executing."""
        with self.lock:
            self.connection.close()

    def all(self, sql: str, *values: object) -> list[Any]:
        """Every row of a query."""
        with self.lock, self._mapped():
            return self.connection.execute(sql, values).fetchall()

    def each(self, sql: str, *values: object) -> Iterator[Any]:
        """The rows of a query one by one; nobody else may use the connection meanwhile."""
        with self.lock, self._mapped():
            yield from self.connection.execute(sql, values)

    def one(self, sql: str, *values: object) -> Any:
        """The first row of a query, or None."""
        with self.lock, self._mapped():
            cursor = self.connection.execute(sql, values)
            row = cursor.fetchone()
            cursor.close()
            return row

    def run(self, sql: str, *values: object) -> int:
        """Execute a statement; the number of rows that it changed."""
        with self.lock, self._mapped():
            return self.connection.execute(sql, values).rowcount

    def insert(self, sql: str, *values: object) -> int:
        """Execute an insertion; the id of the new row."""
        with self.lock, self._mapped():
            return self.connection.execute(sql, values).lastrowid or 0

    def many(self, sql: str, values: Iterable[tuple[object, ...]]) -> int:
        """Execute a statement once per tuple; the number of rows changed in all."""
        with self.lock, self._mapped():
            before = self.connection.total_changes
            self.connection.executemany(sql, values)
            return self.connection.total_changes - before

    def script(self, statements: str) -> None:
        """Execute several statements; if one fails, the transaction they opened is undone."""
        with self.lock, self._mapped():
            try:
                self.connection.executescript(statements)
            except sqlite3.Error:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
