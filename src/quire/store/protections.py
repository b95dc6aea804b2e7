"""Tables `protection` and `slot_digest`: datasets being protected, and those that were."""

from __future__ import annotations

from dataclasses import dataclass

from quire.store.rows import Rows

_COLUMNS = "id, source, k, m, created, expires, tree, steps, adopted, root, cid"
_SLOT_BITS, _STEP_BITS = 8, 32
_JOB_SHIFT = _SLOT_BITS + _STEP_BITS


@dataclass(frozen=True, slots=True)
class ProtectionRow:
    """One protection. Times in unix seconds."""

    id: int
    source: bytes  # digest of the manifest of what is protected
    k: int
    m: int
    created_at: float
    expires_at: float
    tree_id: int | None  # None once it is complete
    steps: int  # columns of which everything is durable
    adopted: int  # original leaves that are in the tree
    root: bytes | None
    cid: bytes | None  # digest of the verifiable manifest

    @property
    def is_complete(self) -> bool:
        return self.cid is not None


class ProtectionTable:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(
        self, source: bytes, k: int, m: int, tree_id: int, created_at: float, expires_at: float
    ) -> int:
        """A protection of which nothing is done; its id."""
        return self._rows.insert(
            "INSERT INTO protection VALUES (NULL, ?, ?, ?, ?, ?, ?, 0, 0, NULL, NULL)",
            source,
            k,
            m,
            created_at,
            expires_at,
            tree_id,
        )

    def find(self, source: bytes, k: int, m: int) -> ProtectionRow | None:
        where = "WHERE source = ? AND k = ? AND m = ?"
        row = self._rows.one(f"SELECT {_COLUMNS} FROM protection {where}", source, k, m)  # noqa: S608
        return None if row is None else ProtectionRow(*row)

    def by_id(self, protection_id: int) -> ProtectionRow | None:
        row = self._rows.one(f"SELECT {_COLUMNS} FROM protection WHERE id = ?", protection_id)  # noqa: S608
        return None if row is None else ProtectionRow(*row)

    def every(self) -> list[ProtectionRow]:
        """All protections, oldest first."""
        found = self._rows.all(f"SELECT {_COLUMNS} FROM protection ORDER BY created, id")  # noqa: S608
        return [ProtectionRow(*row) for row in found]

    def advance(self, protection_id: int, steps: int, expires_at: float) -> None:
        """More columns are durable."""
        sql = "UPDATE protection SET steps = ?, expires = ? WHERE id = ?"
        self._rows.run(sql, steps, expires_at, protection_id)

    def adopt(self, protection_id: int, leaves: int, expires_at: float) -> None:
        """More of the original leaves are in the tree."""
        sql = "UPDATE protection SET adopted = ?, expires = ? WHERE id = ?"
        self._rows.run(sql, leaves, expires_at, protection_id)

    def set_root(self, protection_id: int, root: bytes) -> None:
        self._rows.run("UPDATE protection SET root = ? WHERE id = ?", root, protection_id)

    def complete(self, protection_id: int, cid: bytes) -> None:
        """It has become a dataset."""
        sql = "UPDATE protection SET tree = NULL, cid = ? WHERE id = ?"
        self._rows.run(sql, cid, protection_id)
        self._remove_digests(protection_id)

    def remove(self, protection_id: int) -> None:
        self._rows.run("DELETE FROM protection WHERE id = ?", protection_id)
        self._remove_digests(protection_id)

    def add_digests(self, protection_id: int, slot: int, step: int, digests: bytes) -> None:
        """Digests of the blocks of a slot from a column on."""
        key = _key(protection_id, slot, step)
        self._rows.run("INSERT INTO slot_digest VALUES (?, ?)", key, digests)

    def digests(self, protection_id: int, slot: int) -> bytes:
        """Digests of all blocks of a slot that were added, in order."""
        found = self._rows.all(
            "SELECT digests FROM slot_digest WHERE id >= ? AND id < ? ORDER BY id",
            _key(protection_id, slot, 0),
            _key(protection_id, slot + 1, 0),
        )
        return b"".join(row[0] for row in found)

    def _remove_digests(self, protection_id: int) -> None:
        self._rows.run(
            "DELETE FROM slot_digest WHERE id >= ? AND id < ?",
            _key(protection_id, 0, 0),
            _key(protection_id + 1, 0, 0),
        )


def _key(protection_id: int, slot: int, step: int) -> int:
    return (protection_id << _JOB_SHIFT) + (slot << _STEP_BITS) + step
