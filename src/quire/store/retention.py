"""Why datasets are kept, and how they go.

A dataset is kept as long as any of its roots lasts. One without roots, or whose roots have all
ended, goes at the next collection, unless somebody is reading or fetching it just then.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from quire.base.errors import InputError, NotFound, UnknownDataset
from quire.formats.cid import Cid, is_manifest
from quire.store.catalog import DatasetRow
from quire.store.changes import cid_of_dataset, dataset_of
from quire.store.committer import Change
from quire.store.core import Core
from quire.store.dataset import KINDS, Dataset, RetentionRoot
from quire.store.meta import Tables
from quire.store.padding import Settled, settle_padding
from quire.store.reclaim import Reclaimer

COLLECT_MAX = 128  # datasets that one transaction deletes; keeps the wait of writers short
_Work: TypeAlias = Callable[[Tables, DatasetRow], object]
NAME = re.compile(r"[^\W_][\w.+-]{0,127}")


@dataclass(frozen=True, slots=True)
class Named:
    """A name and the dataset that it names."""

    name: str
    manifest_cid: Cid


@dataclass(frozen=True, slots=True)
class _Deleted:
    dataset: Dataset
    tree_id: int
    is_tree_gone: bool
    settled: Settled  # what it means for others of its tree


class Retention:
    """Retention roots, deletion, expiry."""

    def __init__(self, core: Core, reclaimer: Reclaimer) -> None:
        self._core = core
        self._reclaimer = reclaimer

    async def retain(self, manifest_cid: Cid, root: RetentionRoot) -> None:
        """Add a root or let it last longer. Raises UnknownDataset."""
        check_root(root)
        await self._change(manifest_cid, lambda tables, row: tables.catalog.retain(row.id, root))

    async def pin(self, manifest_cid: Cid, until: float | None) -> Dataset:
        """Keep a dataset until then (None: for ever), whatever its pin said before."""
        root = RetentionRoot("pin", "", until)
        return await self._change(manifest_cid, lambda t, row: t.catalog.set_root(row.id, root))

    async def unpin(self, manifest_cid: Cid) -> Dataset:
        """Take the pin away; other roots may keep the dataset."""
        return await self._change(manifest_cid, lambda t, row: t.catalog.release(row.id, "pin", ""))

    async def limit(self, manifest_cid: Cid, until: float | None) -> Dataset:
        """Set the time that a dataset was given when it was uploaded or fetched."""

        def apply(tables: Tables, row: DatasetRow) -> None:
            tables.catalog.release(row.id, "cache", None)
            tables.catalog.set_root(row.id, RetentionRoot("lease", "", until))

        return await self._change(manifest_cid, apply)

    async def name(self, name: str, manifest_cid: Cid) -> Cid | None:
        """Let a name name this dataset, in one step; the CID that it named before.

        Raises UnknownDataset, InputError for a bad name"""
        check_name(name)

        def apply(tables: Tables) -> Cid | None:
            row = _found(tables, manifest_cid)
            before = tables.catalog.named(name)
            tables.catalog.set_root(row.id, RetentionRoot("name", name, None))
            return None if before is None else cid_of_dataset(before[1])

        return await self._core.committer.run(Change(apply))

    async def unname(self, name: str) -> Cid:
        """Forget a name; the CID that it named. Raises NotFound."""

        def apply(tables: Tables) -> Cid:
            before = tables.catalog.named(name)
            if before is None:
                raise _no_name(name)
            tables.catalog.release(before[0], "name", name)
            return cid_of_dataset(before[1])

        return await self._core.committer.run(Change(apply))

    async def names(self) -> list[Named]:
        """Every name, in alphabetical order."""
        found = await self._core.off_loop(self._core.meta.reading.catalog.names)
        return [Named(name, cid_of_dataset(digest)) for name, digest in found]

    async def named(self, name: str) -> Cid:
        """The CID that a name names. Raises NotFound."""
        found = await self._core.off_loop(self._core.meta.reading.catalog.named, name)
        if found is None:
            raise _no_name(name)
        return cid_of_dataset(found[1])

    async def ended(self, kind: str) -> list[tuple[Cid, str]]:
        """(dataset, name) of the roots of a kind that do not last any more."""
        now = self._core.clock.now()
        found = await self._core.off_loop(self._core.meta.reading.catalog.ended, kind, now)
        return [(cid_of_dataset(digest), name) for digest, name in found]

    async def kept(self, kind: str) -> list[tuple[Cid, str]]:
        """(dataset, name) of every root of a kind."""
        found = await self._core.off_loop(self._core.meta.reading.catalog.kept, kind)
        return [(cid_of_dataset(digest), name) for digest, name in found]

    async def release(self, manifest_cid: Cid, kind: str, name: str) -> bool:
        """Take a root away; False when there was none. Without roots the dataset goes at the next
        collection."""

        def apply(tables: Tables) -> bool:
            row = tables.catalog.find(manifest_cid.digest)
            return row is not None and tables.catalog.release(row.id, kind, name)

        return await self._core.committer.run(Change(apply))

    async def delete(self, manifest_cid: Cid) -> bool:
        """Delete a dataset whatever keeps it; False when it is not here. Gone when this returns;
        its space is given back soon after, or when those who are reading it end."""
        if not is_manifest(manifest_cid):
            return False
        return await self._delete([manifest_cid.digest], None) > 0

    async def collect(self, batch: int = COLLECT_MAX) -> int:
        """Delete the datasets that nothing keeps and nobody holds; how many.

        batch  datasets deleted by one transaction; others have their turn between two of them"""
        now = self._core.clock.now()
        after, deleted = (-1.0, 0), 0
        batch = min(max(batch, 1), COLLECT_MAX)
        while True:
            due = self._core.meta.reading.catalog.due
            found = await self._core.off_loop(due, now, after, batch)
            if not found:
                return deleted
            after = found[-1].position
            deleted += await self._delete([each.cid for each in found], now)

    async def _delete(self, digests: list[bytes], due_at: float | None) -> int:
        """Delete datasets; with a time, only those that nothing keeps then and nobody holds."""

        def apply(tables: Tables) -> list[_Deleted]:
            held = set() if due_at is None else set(self._core.holds.roots())
            deleted = []
            for digest in digests:
                row = tables.catalog.find(digest)
                if row is None or (held and dataset_of(row).tree_root in held):
                    continue
                if due_at is None or is_due(row, due_at):
                    deleted.append(_remove(tables, row))
            return deleted

        change = Change(apply, weight=4 * len(digests), frees_space=True, done=self._deleted)
        deleted = await self._core.committer.run(change)
        return len(deleted)

    def _deleted(self, outcome: list[_Deleted]) -> None:
        for each in outcome:
            if each.is_tree_gone or each.settled.has_other_padding:
                self._core.trees.forget(each.tree_id, each.dataset.tree_root)
            if each.is_tree_gone:
                self._core.withheld.remove(each.dataset.tree_root)
                self._reclaimer.wake()
            self._core.changes.tell("deleted", each.dataset)
            for dataset in each.settled.completed:
                self._core.changes.tell("complete", dataset)

    async def _change(self, manifest_cid: Cid, work: _Work) -> Dataset:
        """Change the roots of a dataset; what it is then. Raises UnknownDataset."""

        def apply(tables: Tables) -> Dataset:
            work(tables, _found(tables, manifest_cid))
            return dataset_of(_found(tables, manifest_cid))

        return await self._core.committer.run(Change(apply))


def check_root(root: RetentionRoot) -> None:
    """Raise InputError for a kind that does not exist."""
    if root.kind not in KINDS:
        raise InputError(
            f"{root.kind!r} is not a kind of retention root; kinds: {', '.join(KINDS)}"
        )


def check_name(name: str) -> None:
    """Raise InputError unless it is fit to name a dataset, and cannot be taken for a CID."""
    if NAME.fullmatch(name) is None:
        raise InputError(
            f"{name!r} cannot be a name; use up to 128 letters, digits, '.', '_', '+', '-', "
            "beginning with a letter or digit"
        )


def is_due(row: DatasetRow, now: float) -> bool:
    """Whether nothing keeps the dataset any more."""
    return row.kept_until is not None and row.kept_until <= now


def _remove(tables: Tables, row: DatasetRow) -> _Deleted:
    tables.catalog.remove(row)
    is_last = not tables.catalog.of_tree(row.tree_id)
    if is_last:
        tables.trees.condemn(row.tree_id)
    gone = dataset_of(row)
    settled = Settled() if is_last else settle_padding(tables, row.tree_id, gone.manifest)
    return _Deleted(gone, row.tree_id, is_last, settled)


def _found(tables: Tables, manifest_cid: Cid) -> DatasetRow:
    row = tables.catalog.find(manifest_cid.digest) if is_manifest(manifest_cid) else None
    if row is None:
        raise UnknownDataset(
            f"{manifest_cid} is not on this node; fetch it first", cid=str(manifest_cid)
        )
    return row


def _no_name(name: str) -> NotFound:
    return NotFound(f"there is no name {name!r} on this node; quire names shows them", name=name)
