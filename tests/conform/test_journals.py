"""Both journals conform; what is durable of a write, and which files are refused."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from conform.journal import Bench, JournalConformance, SetClock
from quire.base.errors import EnvironmentProblem, StoreCorrupt
from quire.store.journal import Journal, Record
from quire.store.journal_file import FORMAT_VERSION, open_journal
from quire.store.journal_memory import MemoryJournal


class TestFileJournal(JournalConformance):
    @pytest_asyncio.fixture
    async def bench(self, tmp_path) -> AsyncIterator[Bench]:
        clock, opened = SetClock(), []

        async def reopen(_: Journal) -> Journal:
            """Another connection to the files as they are: nothing was closed in good order."""
            again = open_journal(tmp_path / "market.db", clock)
            opened.append(again)
            return again

        opened.append(open_journal(tmp_path / "market.db", clock))
        yield Bench(opened[0], clock, reopen)
        for journal in opened:
            await journal.close()


class TestMemoryJournal(JournalConformance):
    @pytest.fixture
    def bench(self) -> Bench:
        async def reopen(journal: Journal) -> Journal:
            assert isinstance(journal, MemoryJournal)
            return journal.reopened()

        clock = SetClock()
        return Bench(MemoryJournal(clock), clock, reopen)


async def test_every_write_is_synced(tmp_path) -> None:
    journal = open_journal(tmp_path / "market.db", SetClock())
    assert journal._rows.one("PRAGMA synchronous") == (2,)
    assert journal._rows.one("PRAGMA journal_mode") == ("wal",)
    await journal.close()


async def test_its_files_are_for_their_owner_alone(tmp_path) -> None:
    journal = open_journal(tmp_path / "market.db", SetClock())
    await journal.write([Record("sale", "a", b"1")])
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes.pop("market.db") == 0o600
    assert modes
    assert set(modes.values()) == {0o600}
    await journal.close()


async def test_a_write_that_fails_in_the_middle_leaves_nothing(tmp_path) -> None:
    journal = open_journal(tmp_path / "market.db", SetClock())
    await journal.write([Record("sale", "a", b"1")])
    broken = Record("sale", "b", object())  # type: ignore[arg-type]
    with pytest.raises(EnvironmentProblem):
        await journal.write([Record("sale", "a", b"2", "new"), broken])
    assert await journal.read("sale") == {"a": b"1"}
    await journal.write([Record("sale", "a", b"3")])
    assert await journal.read("sale") == {"a": b"3"}
    await journal.close()


async def test_writes_that_wait_share_a_sync_and_only_the_bad_one_fails(tmp_path) -> None:
    journal = open_journal(tmp_path / "market.db", SetClock())
    commits: list[None] = []
    journal._rows.connection.set_trace_callback(
        lambda sql: commits.append(None) if sql == "COMMIT" else None
    )
    await asyncio.gather(
        *(journal.write([Record("sale", str(number), b"1")]) for number in range(50))
    )
    assert len(commits) < 50
    broken = Record("sale", "bad", object())  # type: ignore[arg-type]
    writes = [[Record("sale", "x", b"2")], [Record("sale", "y", b"2"), broken]]
    writes += [[Record("sale", "x", b"3")]]
    results = await asyncio.gather(*map(journal.write, writes), return_exceptions=True)
    assert [type(each).__name__ for each in results] == [
        "NoneType",
        "EnvironmentProblem",
        "NoneType",
    ]
    found = await journal.read("sale")
    assert (len(found), found["x"], "y" in found) == (51, b"3", False)
    await journal.close()


@pytest.mark.parametrize(
    ("pragma", "message"),
    [
        (f"PRAGMA user_version={FORMAT_VERSION + 1}", "use a newer version of Quire"),
        ("PRAGMA application_id=7", "not a journal of Quire"),
        ("PRAGMA user_version=0", "not a journal of Quire"),
    ],
)
async def test_a_file_of_another_kind_or_a_newer_version_is_refused(
    tmp_path, pragma, message
) -> None:
    path = tmp_path / "market.db"
    await open_journal(path, SetClock()).close()
    with sqlite3.connect(path) as connection:
        connection.execute(pragma)
    connection.close()
    with pytest.raises(StoreCorrupt, match=message):
        open_journal(path, SetClock())


async def test_a_file_that_is_no_database_is_refused(tmp_path) -> None:
    (tmp_path / "market.db").write_bytes(b"no database" * 999)
    with pytest.raises(StoreCorrupt, match=r"restore market\.db"):
        open_journal(tmp_path / "market.db", SetClock())


async def test_in_memory_a_crash_before_the_write_drops_it_and_one_after_it_does_not() -> None:
    journal = MemoryJournal(SetClock())

    async def never(_) -> None:
        await asyncio.Event().wait()

    for moment, found in (("before", {}), ("after", {"a": b"1"})):
        setattr(journal, moment, never)
        task = asyncio.create_task(journal.write([Record("sale", "a", b"1")]))
        await asyncio.sleep(0)
        assert await journal.reopened().read("sale") == found
        task.cancel()
        await asyncio.wait([task])
        journal = MemoryJournal(SetClock())
