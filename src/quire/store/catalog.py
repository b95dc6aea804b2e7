"""Tables `dataset`, `root`, `counter` and `setting`: what is kept, and why."""

from __future__ import annotations

from dataclasses import dataclass

from quire.store.dataset import RetentionRoot
from quire.store.rows import Rows

_COLUMNS = "d.id, d.cid, d.manifest, d.tree, d.created, d.kept_until, t.present_count"
_KEPT_UNTIL = (
    "SELECT CASE WHEN count(*) > count(expires) THEN NULL ELSE coalesce(max(expires), 0) END"
    " FROM root WHERE root.dataset = dataset.id"
)
_HAS_BLOCKS = (
    "CASE WHEN t.present_count = 0 THEN 0 WHEN t.present_count = t.leaf_count THEN 1 ELSE EXISTS ("
    "SELECT 1 FROM page p WHERE p.id >= t.id << 24 AND p.id < (t.id + 1) << 24"
    " AND p.places <> zeroblob(length(p.places))) END"
)
_FROM = "FROM dataset d JOIN tree t ON t.id = d.tree"
_IS_REPLICA = (
    "(EXISTS (SELECT 1 FROM root r WHERE r.dataset = d.id)"
    " AND NOT EXISTS (SELECT 1 FROM root r WHERE r.dataset = d.id AND r.kind <> 'replica'))"
)


@dataclass(frozen=True, slots=True)
class DatasetRow:
    id: int
    cid: bytes  # digest of the manifest
    manifest: bytes
    tree_id: int
    created_at: float
    kept_until: float | None  # when the last root ends; None never, 0 without roots
    present_count: int
    roots: tuple[RetentionRoot, ...]


@dataclass(frozen=True, slots=True)
class Due:
    """A dataset that nothing keeps."""

    position: tuple[float, int]  # when it ended, id
    cid: bytes


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

    def holdings(self) -> list[tuple[bytes, bytes, int]]:
        """(manifest digest, tree root, 1 when there are blocks of it, else 0) of all datasets but
        those that are replicas and nothing else, newest first. Padding is not a block: its place
        is zero."""
        shown = f"WHERE NOT {_IS_REPLICA} ORDER BY d.id DESC"
        return self._rows.all(f"SELECT d.cid, t.root, {_HAS_BLOCKS} {_FROM} {shown}")

    def withheld(self) -> list[bytes]:
        """Roots of the trees whose datasets are all replicas and nothing else."""
        sql = f"SELECT t.root {_FROM} GROUP BY t.id HAVING min({_IS_REPLICA})"
        return [row[0] for row in self._rows.all(sql)]

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
            "INSERT INTO dataset VALUES (NULL, ?, ?, ?, ?, 0)",
            cid,
            manifest,
            tree_id,
            created_at,
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
        """Add a root, or let an existing one last longer; it is never shortened. A name that
        another dataset has moves."""
        self._take_name(dataset_id, root)
        self._rows.run(
            "INSERT INTO root VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET expires ="
            " CASE WHEN expires IS NULL OR excluded.expires IS NULL THEN NULL"
            " ELSE max(expires, excluded.expires) END",
            dataset_id,
            root.kind,
            root.name,
            root.expires_at,
        )
        self._settle(dataset_id)

    def set_root(self, dataset_id: int, root: RetentionRoot) -> None:
        """Add a root, or let an existing one end at this very time. A name that another dataset
        has moves."""
        self._take_name(dataset_id, root)
        self._rows.run(
            "INSERT OR REPLACE INTO root VALUES (?, ?, ?, ?)",
            dataset_id,
            root.kind,
            root.name,
            root.expires_at,
        )
        self._settle(dataset_id)

    def release(self, dataset_id: int, kind: str, name: str | None) -> bool:
        """Take a root away, or with None every root of the kind; whether there was one."""
        gone = self._rows.run(
            "DELETE FROM root WHERE dataset = ? AND kind = ? AND (name = ? OR ? IS NULL)",
            dataset_id,
            kind,
            name,
            name,
        )
        self._settle(dataset_id)
        return gone > 0

    def named(self, name: str) -> tuple[int, bytes] | None:
        """(id, manifest digest) of the dataset with this name."""
        row = self._rows.one(
            "SELECT d.id, d.cid FROM root r JOIN dataset d ON d.id = r.dataset"
            " WHERE r.kind = 'name' AND r.name = ?",
            name,
        )
        return None if row is None else (row[0], row[1])

    def names(self) -> list[tuple[str, bytes]]:
        """(name, manifest digest) of every name, in alphabetical order."""
        return self._rows.all(
            "SELECT r.name, d.cid FROM root r JOIN dataset d ON d.id = r.dataset"
            " WHERE r.kind = 'name' ORDER BY r.name"
        )

    def kept(self, kind: str) -> list[tuple[bytes, str]]:
        """(manifest digest, name) of all roots of this kind."""
        return self._rows.all(
            "SELECT d.cid, r.name FROM root r JOIN dataset d ON d.id = r.dataset"
            " WHERE r.kind = ? ORDER BY d.id, r.name",
            kind,
        )

    def ended(self, kind: str, now: float) -> list[tuple[bytes, str]]:
        """(manifest digest, name) of roots of this kind that do not last any more, though their
        datasets are here."""
        return self._rows.all(
            "SELECT d.cid, r.name FROM root r JOIN dataset d ON d.id = r.dataset"
            " WHERE r.kind = ? AND r.expires <= ? ORDER BY d.id, r.name",
            kind,
            now,
        )

    def due(self, now: float, after: tuple[float, int], limit: int) -> list[Due]:
        """Datasets that nothing keeps any more, in the order in which they ended. Time grows with
        what is returned, not with what is kept."""
        found = self._rows.all(
            "SELECT kept_until, id, cid FROM dataset WHERE kept_until <= ?"
            " AND (kept_until, id) > (?, ?) ORDER BY kept_until, id LIMIT ?",
            now,
            *after,
            limit,
        )
        return [Due((row[0], row[1]), row[2]) for row in found]

    def _take_name(self, dataset_id: int, root: RetentionRoot) -> None:
        before = self.named(root.name) if root.kind == "name" else None
        if before is not None and before[0] != dataset_id:
            self.release(before[0], "name", root.name)

    def unsettled(self) -> int:
        """Datasets whose `kept_until` does not follow from their roots, for the audit."""
        sql = f"SELECT count(*) FROM dataset WHERE kept_until IS NOT ({_KEPT_UNTIL})"  # noqa: S608
        return int(self._rows.one(sql)[0])

    def settle_all(self) -> int:
        """Note for every dataset when its last root ends; how many notes were wrong."""
        sql = f"({_KEPT_UNTIL})"
        return self._rows.run(
            f"UPDATE dataset SET kept_until = {sql} WHERE kept_until IS NOT {sql}"  # noqa: S608
        )

    def _settle(self, dataset_id: int) -> None:
        """Note when the last root ends."""
        sql = f"UPDATE dataset SET kept_until = ({_KEPT_UNTIL}) WHERE id = ?"  # noqa: S608
        self._rows.run(sql, dataset_id)

    def recount(self) -> None:
        """Let the counters of manifests follow from the table."""
        self._rows.run(
            "UPDATE counter SET manifests = (SELECT count(*) FROM dataset),"
            " manifest_bytes = (SELECT coalesce(sum(length(manifest)), 0) FROM dataset)"
        )

    def counts(self) -> Counts:
        row = self._rows.one("SELECT blocks, block_bytes, manifests, manifest_bytes FROM counter")
        return Counts(*row)

    def setting(self, name: str) -> object:
        row = self._rows.one("SELECT value FROM setting WHERE name = ?", name)
        return None if row is None else row[0]

    def set_setting(self, name: str, value: object) -> None:
        self._rows.run("INSERT OR REPLACE INTO setting VALUES (?, ?)", name, value)


def _row(
    row: tuple[int, bytes, bytes, int, float, float | None, int], roots: list[RetentionRoot]
) -> DatasetRow:
    return DatasetRow(*row, tuple(roots))
