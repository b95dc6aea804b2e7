"""Tables `dataset`, `root`, `counter` and `setting`: what is kept, and why."""

from __future__ import annotations

from dataclasses import dataclass

from quire.store.dataset import RetentionRoot
from quire.store.rows import Rows

_COLUMNS = "d.id, d.cid, d.manifest, d.tree, d.created, t.present_count"
_FROM = "FROM dataset d JOIN tree t ON t.id = d.tree"


@dataclass(frozen=True, slots=True)
class DatasetRow:
    id: int
    cid: bytes  # digest of the manifest
    manifest: bytes
    tree_id: int
    created_at: float
    present_count: int
    roots: tuple[RetentionRoot, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """What the quota counts."""

    blocks: int
    block_bytes: int
    manifests: int
    manifest_bytes: int

    @property
    def used_bytes(self) -> int:
        return self.block_bytes + self.manifest_bytes


class CatalogTable:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def find(self, cid: bytes) -> DatasetRow | None:
        row = self._rows.one(f"SELECT {_COLUMNS} {_FROM} WHERE d.cid = ?", cid)
        if row is None:
            return None
        found = self._rows.all("SELECT kind, name, expires FROM root WHERE dataset = ?", row[0])
        return _row(row, [RetentionRoot(*each) for each in found])

    def manifest(self, cid: bytes) -> bytes | None:
        row = self._rows.one("SELECT manifest FROM dataset WHERE cid = ?", cid)
        return None if row is None else bytes(row[0])

    def every(self, after: int = 0, limit: int | None = None) -> list[DatasetRow]:
        """All datasets, oldest first, or `limit` of those whose number is above `after`."""
        most = -1 if limit is None else limit
        sql = f"SELECT {_COLUMNS} {_FROM} WHERE d.id > ? ORDER BY d.id LIMIT ?"
        found = self._rows.all(sql, after, most)
        last = found[-1][0] if found else after
        roots: dict[int, list[RetentionRoot]] = {}
        for dataset, kind, name, expires in self._rows.all(
            "SELECT dataset, kind, name, expires FROM root WHERE dataset > ? AND dataset <= ?"
            " ORDER BY dataset, kind, name",
            after,
            last,
        ):
            roots.setdefault(dataset, []).append(RetentionRoot(kind, name, expires))
        return [_row(row, roots.get(row[0], [])) for row in found]

    def of_tree(self, tree_id: int) -> list[bytes]:
        """Manifest digests of the datasets of a tree."""
        found = self._rows.all("SELECT cid FROM dataset WHERE tree = ? ORDER BY id", tree_id)
        return [row[0] for row in found]

    def add(self, cid: bytes, manifest: bytes, tree_id: int, created_at: float) -> int:
        """A new dataset; its id."""
        self._rows.run(
            "UPDATE counter SET manifests = manifests + 1, manifest_bytes = manifest_bytes + ?",
            len(manifest),
        )
        return self._rows.insert(
            "INSERT INTO dataset VALUES (NULL, ?, ?, ?, ?)", cid, manifest, tree_id, created_at
        )

    def remove(self, row: DatasetRow) -> None:
        self._rows.run(
            "UPDATE counter SET manifests = manifests - 1, manifest_bytes = manifest_bytes - ?",
            len(row.manifest),
        )
        self._rows.run("DELETE FROM root WHERE dataset = ?", row.id)
        self._rows.run("DELETE FROM dataset WHERE id = ?", row.id)

    def move(self, old_tree_id: int, new_tree_id: int) -> None:
        """Let the datasets of one tree refer to another with the same root."""
        self._rows.run("UPDATE dataset SET tree = ? WHERE tree = ?", new_tree_id, old_tree_id)

    def retain(self, dataset_id: int, root: RetentionRoot) -> None:
        """Add a root, or let an existing one last longer; it is never shortened."""
        self._rows.run(
            "INSERT INTO root VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET expires ="
            " CASE WHEN expires IS NULL OR excluded.expires IS NULL THEN NULL"
            " ELSE max(expires, excluded.expires) END",
            dataset_id,
            root.kind,
            root.name,
            root.expires_at,
        )

    def release(self, dataset_id: int, kind: str, name: str) -> bool:
        return bool(
            self._rows.run(
                "DELETE FROM root WHERE dataset = ? AND kind = ? AND name = ?",
                dataset_id,
                kind,
                name,
            )
        )

    def expired(self, now: float) -> list[bytes]:
        """Manifest digests of datasets that have roots, all of them expired."""
        found = self._rows.all(
            "SELECT DISTINCT d.cid FROM root r JOIN dataset d ON d.id = r.dataset"
            " WHERE r.expires <= ? AND NOT EXISTS (SELECT 1 FROM root o WHERE"
            " o.dataset = r.dataset AND (o.expires IS NULL OR o.expires > ?)) ORDER BY d.id",
            now,
            now,
        )
        return [row[0] for row in found]

    def counts(self) -> Counts:
        row = self._rows.one("SELECT blocks, block_bytes, manifests, manifest_bytes FROM counter")
        return Counts(*row)

    def setting(self, name: str) -> object:
        row = self._rows.one("SELECT value FROM setting WHERE name = ?", name)
        return None if row is None else row[0]

    def set_setting(self, name: str, value: object) -> None:
        self._rows.run("INSERT OR REPLACE INTO setting VALUES (?, ?)", name, value)


def _row(row: tuple[int, bytes, bytes, int, float, int], roots: list[RetentionRoot]) -> DatasetRow:
    dataset_id, cid, manifest, tree_id, created_at, present_count = row
    return DatasetRow(dataset_id, cid, manifest, tree_id, created_at, present_count, tuple(roots))
