"""Datasets being protected, as they outlive their task, a crash, and the end of the node."""

from __future__ import annotations

from collections.abc import Callable

from quire.base.errors import Busy
from quire.dataset.geometry import Geometry
from quire.formats.cid import Cid
from quire.store.changes import dataset_of
from quire.store.committer import Change
from quire.store.core import Core
from quire.store.dataset import Dataset
from quire.store.meta import Tables
from quire.store.protected_tree import ProtectedTree
from quire.store.protections import ProtectionRow
from quire.store.segment import SegmentWriter

MANIFEST_BYTES = 512  # of a verifiable manifest, and for each of its slots:
SLOT_ROOT_BYTES = 48


class Protecting:
    """All protections of a store."""

    def __init__(self, core: Core, writer: SegmentWriter, ended: Callable[[], None]) -> None:
        self._core = core
        self._writer = writer
        self._ended = ended  # a write that may have pinned blocks is over
        self._open: dict[int, ProtectedTree] = {}

    async def every(self) -> list[ProtectionRow]:
        """All protections, oldest first, complete or not."""
        return await self._core.off_loop(self._core.meta.reading.protections.every)

    async def result(self, source: Cid, k: int, m: int) -> Dataset | None:
        """What came of it, when it is complete and every block is still here."""

        def look() -> Dataset | None:
            tables = self._core.meta.reading
            row = tables.protections.find(source.digest, k, m)
            found = None if row is None or row.cid is None else tables.catalog.find(row.cid)
            return None if found is None else dataset_of(found)

        dataset = await self._core.off_loop(look)
        return dataset if dataset is not None and dataset.is_complete else None

    async def open(self, source: Dataset, k: int, m: int, lifetime_seconds: float) -> ProtectedTree:
        """Begin to protect a dataset, or go on after the last durable column; every step prolongs
        its life. What had come to an end, and parity that went bad meanwhile, is made anew.

        Raises   QuotaExceeded
                 Busy  it is open already
        """
        manifest = source.manifest
        geometry = Geometry(manifest.block_count, k, m, manifest.block_size)
        digest = source.manifest_cid.digest
        expires_at = self._core.clock.now() + lifetime_seconds

        def apply(tables: Tables) -> ProtectionRow:
            row = tables.protections.find(digest, k, m)
            if row is not None and not _is_sound(tables, row):
                _remove(tables, row)
                row = None
            if row is None:
                tree_id = tables.trees.add_staging(geometry.block_size, geometry.total)
                now = self._core.clock.now()
                tables.protections.add(digest, k, m, tree_id, now, expires_at)
            found = tables.protections.find(digest, k, m)
            assert found is not None
            return found

        row = await self._core.committer.run(Change(apply))
        if row.id in self._open:
            raise Busy(f"{source.manifest_cid} is being protected with {k} + {m} already")
        tree = ProtectedTree(
            self._core, self._writer, row, geometry, lifetime_seconds, self._closed
        )
        self._open[row.id] = tree
        try:
            tree.reserve(MANIFEST_BYTES + geometry.slots * SLOT_ROOT_BYTES)
        except BaseException:
            await tree.close()
            if row.steps == 0:
                await self.discard(source.manifest_cid, k, m)
            raise
        return tree

    async def discard(self, source: Cid, k: int, m: int) -> ProtectionRow | None:
        """Leave nothing of a protection that is not open; what it was. None when there is none,
        or it is complete: that stays."""

        def apply(tables: Tables) -> ProtectionRow | None:
            row = tables.protections.find(source.digest, k, m)
            if row is None or row.is_complete:
                return None
            _remove(tables, row)
            return row

        return await self._core.committer.run(Change(apply, frees_space=True))

    async def expire(self) -> list[ProtectionRow]:
        """Remove what nobody went on with in time, and forget what came to an end and whose
        dataset is gone; the former."""
        now = self._core.clock.now()

        def apply(tables: Tables) -> list[ProtectionRow]:
            late = []
            for row in tables.protections.every():
                if row.id in self._open:
                    continue
                if row.cid is not None and tables.catalog.find(row.cid) is None:
                    tables.protections.remove(row.id)
                elif row.cid is None and row.expires_at <= now:
                    _remove(tables, row)
                    late.append(row)
            return late

        return await self._core.committer.run(Change(apply, frees_space=True))

    async def close(self) -> None:
        """What is open is left as it is durable."""
        for tree in list(self._open.values()):
            await tree.close()

    def _closed(self, tree: ProtectedTree) -> None:
        self._open.pop(tree.row.id, None)
        self._ended()


def _is_sound(tables: Tables, row: ProtectionRow) -> bool:
    """Whether it can be gone on with."""
    tree = None if row.tree_id is None else tables.trees.by_id(row.tree_id)
    return tree is not None and tree.present_count == 0


def _remove(tables: Tables, row: ProtectionRow) -> None:
    if row.tree_id is not None:
        tables.trees.condemn(row.tree_id)
    tables.protections.remove(row.id)
