"""What every `Journal` must do. Subclass and give a `journal` fixture: (journal, clock, reopen)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from quire.store.journal import NOTES_MAX, Journal, Note, Record


class SetClock:
    """Calendar time as the test says."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Bench:
    journal: Journal
    clock: SetClock
    reopen: Callable[[Journal], Awaitable[Journal]]  # as after a crash


class JournalConformance:
    """The suite; pytest collects it through its subclasses."""

    async def test_the_newest_value_is_read_in_order_of_creation(self, bench: Bench) -> None:
        await bench.journal.write([Record("sale", "b", b"1"), Record("sale", "a", b"2")])
        await bench.journal.write([Record("sale", "b", b"3"), Record("cursor", "a", b"")])
        assert list((await bench.journal.read("sale")).items()) == [("b", b"3"), ("a", b"2")]
        assert await bench.journal.read("cursor") == {"a": b""}
        assert await bench.journal.read("nothing") == {}

    async def test_what_was_written_is_there_after_a_crash(self, bench: Bench) -> None:
        await bench.journal.write([Record("sale", "a", b"1", "began")])
        again = await bench.reopen(bench.journal)
        assert await again.read("sale") == {"a": b"1"}
        assert await again.history("sale", "a") == [Note(1_000.0, "began")]

    async def test_notes_are_kept_in_order_with_their_times(self, bench: Bench) -> None:
        await bench.journal.write([Record("sale", "a", b"1", "began")])
        bench.clock.seconds = 1_001.5
        await bench.journal.write([Record("sale", "a", b"2", "went on")])
        await bench.journal.write([Record("sale", "a", b"3")])
        await bench.journal.write([Record("purchase", "a", b"3", "another kind")])
        notes = [Note(1_000.0, "began"), Note(1_001.5, "went on")]
        assert await bench.journal.history("sale", "a") == notes
        assert await bench.journal.history("sale", "b") == []

    async def test_of_many_notes_the_newest_are_kept(self, bench: Bench) -> None:
        for number in range(NOTES_MAX + 10):
            await bench.journal.write([Record("sale", "a", b"", str(number))])
        await bench.journal.write([Record("sale", "b", b"", "of another")])
        notes = await bench.journal.history("sale", "a")
        assert [note.note for note in notes] == [str(n) for n in range(10, NOTES_MAX + 10)]
        assert len(await bench.journal.history("sale", "b")) == 1

    async def test_what_is_forgotten_leaves_nothing(self, bench: Bench) -> None:
        await bench.journal.write([Record("sale", "a", b"1", "began"), Record("sale", "b", b"2")])
        await bench.journal.write([Record("sale", "a", None, "gone"), Record("sale", "c", None)])
        assert await bench.journal.read("sale") == {"b": b"2"}
        assert await bench.journal.history("sale", "a") == []

    async def test_within_one_write_the_last_record_of_a_thing_counts(self, bench: Bench) -> None:
        records = [Record("sale", "a", b"1"), Record("sale", "a", None), Record("sale", "a", b"2")]
        await bench.journal.write(records)
        assert await bench.journal.read("sale") == {"a": b"2"}

    async def test_nothing_to_write_is_no_mistake(self, bench: Bench) -> None:
        await bench.journal.write([])
        assert await bench.journal.read("sale") == {}
