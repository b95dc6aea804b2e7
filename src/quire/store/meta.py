"""The metadata database: one writer, one transaction at a time, and a reader beside it.

A simulator supplies both ends. `connect` opens the database: for a world in memory, a connection
to ":memory:" into which the last snapshot was put with `deserialize`; without `connect_reader`
reads use the writer's connection. `on_commit` is called with the writer's connection after each
transaction that has become durable: there the simulator takes `connection.serialize()`, which is
the state that survives a crash.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from quire.base.errors import StoreCorrupt
from quire.store.blocks import BlockTable
from quire.store.catalog import CatalogTable
from quire.store.damage import DamageTable
from quire.store.extents import ExtentTable
from quire.store.protections import ProtectionTable
from quire.store.rows import CORRUPT_ADVICE, Rows, mapped
from quire.store.schema import APPLICATION_ID, FORMAT_VERSION, STEPS, TABLES
from quire.store.trees import TreeTable
from quire.store.unfinished import UploadTable

Connect = Callable[[], sqlite3.Connection]

CHECK_BYTES_MAX = 64 * 1024 * 1024  # a larger database is not read through at the start


class Tables:
    """The tables as seen through one connection."""

    def __init__(self, rows: Rows) -> None:
        self.extents = ExtentTable(rows)
        self.blocks = BlockTable(rows, self.extents)
        self.trees = TreeTable(rows)
        self.catalog = CatalogTable(rows)
        self.damage = DamageTable(rows)
        self.uploads = UploadTable(rows)
        self.protections = ProtectionTable(rows)


class Meta:
    """Opens, checks and closes the database; gives out its tables."""

    def __init__(
        self,
        connect: Connect,
        *,
        connect_reader: Connect | None = None,
        on_commit: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:
        self._on_commit = on_commit
        with mapped():
            self._writer = Rows(connect())
        try:
            self._prepare()
            with mapped():
                self._readers = [Rows(connect_reader()) for _ in range(2) if connect_reader]
        except BaseException:
            self._writer.connection.close()
            raise
        reader, peeker = self._readers or (self._writer, self._writer)
        self.writing = Tables(self._writer)
        self.reading = Tables(reader)  # for worker threads
        self.peeking = Tables(peeker)  # for the loop's thread, which must not wait for a worker

    @contextmanager
    def transaction(self) -> Iterator[Tables]:
        """All changes made inside become durable and visible together, or not at all."""
        with self._writer.lock:
            self._writer.run("BEGIN IMMEDIATE")
            try:
                yield self.writing
                self._writer.run("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    if self._writer.connection.in_transaction:
                        self._writer.connection.execute("ROLLBACK")
                raise
            if self._on_commit is not None:
                self._on_commit(self._writer.connection)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Within a transaction: what is done inside is undone when it raises."""
        self._writer.run("SAVEPOINT change")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                if self._writer.connection.in_transaction:
                    self._writer.connection.execute("ROLLBACK TO change")
                    self._writer.connection.execute("RELEASE change")
            raise
        self._writer.run("RELEASE change")

    @property
    def is_in_transaction(self) -> bool:
        return self._writer.connection.in_transaction

    def take_garbage(self) -> bool:
        """Whether something was condemned or freed since the last call."""
        had, self._writer.has_garbage = self._writer.has_garbage, False
        return had

    def close(self) -> None:
        for reader in self._readers:
            reader.close()
        self._writer.close()

    def _prepare(self) -> None:
        """Make a new database or check an old one. Raises StoreCorrupt."""
        version = self._writer.one("PRAGMA user_version")[0]
        if version > FORMAT_VERSION:
            raise StoreCorrupt(
                f"the store has format {version}, this version of Quire reads up to "
                f"{FORMAT_VERSION}; use a newer version of Quire"
            )
        if version == 0 and not self._writer.all("SELECT name FROM sqlite_master"):
            self._script(f"{TABLES}PRAGMA application_id={APPLICATION_ID};", FORMAT_VERSION)
        elif version == 0 or self._writer.one("PRAGMA application_id")[0] != APPLICATION_ID:
            raise StoreCorrupt(CORRUPT_ADVICE.format(reason="it is not a database of Quire"))
        pages = self._writer.one("PRAGMA page_count")[0]
        if pages * self._writer.one("PRAGMA page_size")[0] <= CHECK_BYTES_MAX:
            found = self._writer.one("PRAGMA quick_check(1)")[0]
            if found != "ok":
                raise StoreCorrupt(CORRUPT_ADVICE.format(reason=found))
            self._writer.run("PRAGMA shrink_memory")  # the cache is full of what was looked at
        for older in range(version or FORMAT_VERSION, FORMAT_VERSION):
            self._script(STEPS[older], older + 1)

    def _script(self, statements: str, version: int) -> None:
        """Execute statements and note the version that results; all of it, or nothing."""
        self._writer.script(f"BEGIN IMMEDIATE; {statements} PRAGMA user_version={version}; COMMIT;")
        if self._on_commit is not None:
            self._on_commit(self._writer.connection)


def connect_file(path: Path, application_id: int = APPLICATION_ID) -> sqlite3.Connection:
    """The writer's connection to a database file: WAL, durable at each commit."""
    connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        if _is_foreign(connection, application_id):
            return connection  # who asked refuses it, and nothing of it has been changed
        connection.execute("PRAGMA page_size=8192")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=1024")  # 8 MiB
        connection.execute("PRAGMA cache_size=-6144")  # KiB
        connection.execute("PRAGMA temp_store=MEMORY")
    except BaseException:
        connection.close()
        raise
    return connection


def _is_foreign(connection: sqlite3.Connection, application_id: int) -> bool:
    """Whether it is the database of another program."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    return application != application_id and bool(
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    )


def connect_file_reader(path: Path) -> sqlite3.Connection:
    """A connection that sees what is committed, also while the writer is at work."""
    connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA cache_size=-2048")
    except BaseException:
        connection.close()
        raise
    return connection
