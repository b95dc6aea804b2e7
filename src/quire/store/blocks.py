"""Table `block`: where each block is, and how many present leaves have its digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from quire.base.errors import Busy
from quire.store.extents import ExtentTable, merge
from quire.store.rows import Rows

_LOOKUP_MAX = 128


class BlockTable:
    def __init__(self, rows: Rows, extents: ExtentTable) -> None:
        self._rows = rows
        self.extents = extents

    def find(self, digest: bytes) -> tuple[int, int] | None:
        """(place, length) of a block."""
        row = self._rows.one("SELECT place, length FROM block WHERE digest = ?", digest)
        return None if row is None else (row[0], row[1])

    def known(self, digests: list[bytes]) -> dict[bytes, int]:
        """Places of those blocks that are in the table."""
        places: dict[bytes, int] = {}
        for at in range(0, len(digests), _LOOKUP_MAX):
            part = digests[at : at + _LOOKUP_MAX]
            marks = ",".join("?" * len(part))
            sql = f"SELECT digest, place FROM block WHERE digest IN ({marks})"  # noqa: S608 - marks only
            places.update(self._rows.all(sql, *part))
        return places

    def add(self, wanted: Mapping[bytes, tuple[int, int]], length: int) -> dict[bytes, int]:
        """Count leaves, and put blocks into the table that are not there.

        wanted   digest -> (place, leaves); place 0: the block is expected to be in the table
        Returns  digest -> place, for those whose place is not the wanted one
        Raises   Busy when a block that was expected to be there has gone (found corrupt)
        """
        own = sorted((d, place, length, n) for d, (place, n) in wanted.items() if place)
        placed = {row[0]: row[1] for row in own}
        added = self._rows.many("INSERT INTO block VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", own)
        found: dict[bytes, int] = {}
        if added < len(own):
            there = self.known(list(placed))
            found = {d: place for d, place in there.items() if place != placed[d]}
        relied = [digest for digest, (place, _) in wanted.items() if not place]
        there = self.known(relied)
        if len(there) < len(relied):
            raise Busy("a block that this dataset shares with another went bad; send it again")
        found.update(there)
        self._rows.many(
            "UPDATE block SET refs = refs + ? WHERE digest = ?",
            [(wanted[digest][1], digest) for digest in found],
        )
        spare = [placed.pop(digest) for digest in found if digest in placed]
        self.extents.add_freed(merge(spare, length))
        self.extents.add_live(placed.values(), length, 1)
        self._count(len(placed), length)
        return found

    def release(
        self, counts: Mapping[bytes, tuple[int, int]], length: int, pinned: set[bytes]
    ) -> None:
        """Take leaves away; blocks without leaves go, their extents become freed.

        counts  digest -> (place, leaves); pinned: blocks that stay without leaves for now
        """
        free = sorted((d, n) for d, (_, n) in counts.items() if d not in pinned)
        gone = self._rows.many("DELETE FROM block WHERE digest = ? AND refs <= ?", free)
        kept: set[bytes] = {digest for digest in counts if digest in pinned}
        if gone < len(free):
            kept.update(self.known([digest for digest, _ in free]))
        self._rows.many(
            "UPDATE block SET refs = max(refs - ?, 0) WHERE digest = ?",
            [(counts[digest][1], digest) for digest in sorted(kept)],
        )
        self._drop([place for digest, (place, _) in counts.items() if digest not in kept], length)

    def release_orphans(self, candidates: Iterable[bytes]) -> None:
        """Those of the blocks that have no leaves go."""
        for digest in candidates:
            row = self._rows.one(
                "SELECT place, length FROM block WHERE digest = ? AND refs = 0", digest
            )
            if row is not None:
                self._rows.run("DELETE FROM block WHERE digest = ?", digest)
                self._drop([row[0]], row[1])

    def released_bytes(self, leaves: Mapping[bytes, int]) -> int:
        """Bytes of the blocks that would go if these leaves were taken away."""
        digests = list(leaves)
        size = 0
        for at in range(0, len(digests), _LOOKUP_MAX):
            part = digests[at : at + _LOOKUP_MAX]
            marks = ",".join("?" * len(part))
            sql = f"SELECT digest, length, refs FROM block WHERE digest IN ({marks})"  # noqa: S608
            size += sum(row[1] for row in self._rows.all(sql, *part) if row[2] <= leaves[row[0]])
        return size

    def orphans(self) -> list[bytes]:
        """Blocks without leaves."""
        return [row[0] for row in self._rows.all("SELECT digest FROM block WHERE refs = 0")]

    def expel(self, digest: bytes, place: int) -> int | None:
        """Take a corrupt block out, whatever refers to it; its leaves, or None when it is not at
        this place any more."""
        row = self._rows.one("SELECT place, length, refs FROM block WHERE digest = ?", digest)
        if row is None or row[0] != place:
            return None
        self._rows.run("DELETE FROM block WHERE digest = ?", digest)
        self._drop([place], row[1])
        return int(row[2])

    def set_leaves(self, leaves: Mapping[bytes, int]) -> None:
        """Note for every block how many leaves it has; blocks without are taken out later."""
        wrong = [
            (leaves.get(digest, 0), digest)
            for digest, _, _, refs in self.every()
            if refs != leaves.get(digest, 0)
        ]
        self._rows.many("UPDATE block SET refs = ? WHERE digest = ?", wrong)
        self._rows.has_garbage = True

    def recount(self) -> None:
        """Let the counters of blocks and packs follow from the table."""
        blocks, size = self.totals()
        self._rows.run("UPDATE counter SET blocks = ?, block_bytes = ?", blocks, size)
        self._rows.run(
            "INSERT OR IGNORE INTO pack SELECT place >> 32, max((place & 4294967295) + length),"
            " 0, 0 FROM block GROUP BY place >> 32"
        )
        self._rows.run("UPDATE pack SET live = 0")
        live = self._rows.all("SELECT sum(length), place >> 32 FROM block GROUP BY place >> 32")
        self._rows.many("UPDATE pack SET live = ? WHERE id = ?", live)

    def totals(self) -> tuple[int, int]:
        """(blocks, bytes) by counting, for the audit."""
        row = self._rows.one("SELECT count(*), coalesce(sum(length), 0) FROM block")
        return row[0], row[1]

    def every(self) -> list[tuple[bytes, int, int, int]]:
        """All rows (digest, place, length, refs), for the audit."""
        return self._rows.all("SELECT digest, place, length, refs FROM block")

    def _drop(self, places: list[int], length: int) -> None:
        self.extents.add_freed(merge(places, length))
        self.extents.add_live(places, length, -1)
        self._count(-len(places), length)

    def _count(self, blocks: int, length: int) -> None:
        if blocks:
            self._rows.run(
                "UPDATE counter SET blocks = blocks + ?, block_bytes = block_bytes + ?",
                blocks,
                blocks * length,
            )
