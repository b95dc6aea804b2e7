"""Tables `pack`, `run` and `freed`: which bytes of the pack files are in use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from quire.store.rows import Rows

OFFSET_BITS = 32
OFFSET_MASK = (1 << OFFSET_BITS) - 1


@dataclass(frozen=True, slots=True)
class Extent:
    """Consecutive bytes of one pack."""

    pack: int
    offset: int
    length: int

    @property
    def place(self) -> int:
        return self.pack << OFFSET_BITS | self.offset

    @classmethod
    def at(cls, place: int, length: int) -> Extent:
        return cls(place >> OFFSET_BITS, place & OFFSET_MASK, length)


@dataclass(frozen=True, slots=True)
class PackRow:
    id: int
    end: int
    live: int
    is_sealed: bool


def merge(places: Iterable[int], length: int) -> list[Extent]:
    """Equal pieces at these places as few extents."""
    extents: list[Extent] = []
    start = stop = -1
    for place in sorted(places):
        if place != stop:
            if start >= 0:
                extents.append(Extent.at(start, stop - start))
            start = place
        stop = place + length
    if start >= 0:
        extents.append(Extent.at(start, stop - start))
    return extents


class ExtentTable:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def packs(self) -> list[PackRow]:
        found = self._rows.all("SELECT id, end, live, sealed FROM pack ORDER BY id")
        return [PackRow(a, b, c, bool(d)) for a, b, c, d in found]

    def add_run(self, extent: Extent) -> None:
        """The extent holds blocks from now on, or bytes that were freed in this transaction."""
        self._rows.run(
            "INSERT INTO pack VALUES (?, ?, 0, 0)"
            " ON CONFLICT (id) DO UPDATE SET end = max(end, excluded.end)",
            extent.pack,
            extent.offset + extent.length,
        )
        self._rows.run("INSERT INTO run VALUES (?, ?)", extent.place, extent.length)

    def runs(self, pack: int) -> list[Extent]:
        """Extents of an unsealed pack, by offset."""
        found = self._rows.all(
            "SELECT place, length FROM run WHERE place >= ? AND place < ? ORDER BY place",
            pack << OFFSET_BITS,
            (pack + 1) << OFFSET_BITS,
        )
        return [Extent.at(place, length) for place, length in found]

    def seal(self, pack: int) -> None:
        """Nothing will be written to the pack any more, and it holds no garbage."""
        self._rows.run("UPDATE pack SET sealed = 1 WHERE id = ?", pack)
        self._rows.run(
            "DELETE FROM run WHERE place >= ? AND place < ?",
            pack << OFFSET_BITS,
            (pack + 1) << OFFSET_BITS,
        )

    def add_live(self, places: Iterable[int], length: int, sign: int) -> None:
        """Count equal blocks at these places as live (sign 1) or no more (sign -1)."""
        counts: dict[int, int] = {}
        for place in places:
            pack = place >> OFFSET_BITS
            counts[pack] = counts.get(pack, 0) + length
        for pack, count in counts.items():
            self._rows.run("UPDATE pack SET live = live + ? WHERE id = ?", sign * count, pack)

    def add_freed(self, extents: Iterable[Extent]) -> None:
        freed = [(each.place, each.length) for each in extents]
        if freed:
            self._rows.many("INSERT INTO freed VALUES (?, ?)", freed)
            self._rows.has_garbage = True

    def freed(self, limit: int) -> list[Extent]:
        found = self._rows.all("SELECT place, length FROM freed ORDER BY place LIMIT ?", limit)
        return [Extent.at(place, length) for place, length in found]

    def freed_bytes(self) -> int:
        return int(self._rows.one("SELECT coalesce(sum(length), 0) FROM freed")[0])

    def forget_freed(self, extents: Iterable[Extent]) -> None:
        self._rows.many("DELETE FROM freed WHERE place = ?", [(each.place,) for each in extents])

    def has_empty(self) -> bool:
        """Whether there are sealed packs without blocks."""
        sql = "SELECT 1 FROM pack WHERE sealed = 1 AND live = 0 LIMIT 1"
        return self._rows.one(sql) is not None

    def remove_empty(self) -> list[int]:
        """Take out sealed packs without blocks; their numbers. Their files may then go."""
        found = [
            row[0] for row in self._rows.all("SELECT id FROM pack WHERE sealed = 1 AND live = 0")
        ]
        for pack in found:
            self._rows.run("DELETE FROM pack WHERE id = ?", pack)
            self._rows.run(
                "DELETE FROM freed WHERE place >= ? AND place < ?",
                pack << OFFSET_BITS,
                (pack + 1) << OFFSET_BITS,
            )
        return found
