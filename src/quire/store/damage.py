"""Table `damage`: leaves that the disk has lost and that have not come back yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from quire.store.rows import Rows


@dataclass(frozen=True, slots=True)
class DamagedLeaf:
    tree_id: int
    leaf: int
    found_at: float  # unix seconds


class DamageTable:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(self, tree_id: int, leaves: Iterable[int], found_at: float) -> None:
        self._rows.many(
            "INSERT OR IGNORE INTO damage VALUES (?, ?, ?)",
            [(tree_id, leaf, found_at) for leaf in leaves],
        )

    def remove(self, leaves: Iterable[tuple[int, int]]) -> None:
        """These (tree, leaf) are present again."""
        self._rows.many("DELETE FROM damage WHERE tree = ? AND leaf = ?", leaves)

    def every(self) -> list[DamagedLeaf]:
        found = self._rows.all("SELECT tree, leaf, found FROM damage ORDER BY tree, leaf")
        return [DamagedLeaf(*row) for row in found]
