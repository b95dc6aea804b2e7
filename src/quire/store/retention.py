"""Why datasets are kept, and how they go."""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import InputError, UnknownDataset
from quire.formats.cid import Cid, is_manifest
from quire.store.changes import dataset_of
from quire.store.committer import Change
from quire.store.core import Core
from quire.store.dataset import KINDS, Dataset, RetentionRoot
from quire.store.meta import Tables
from quire.store.reclaim import Reclaimer


@dataclass(frozen=True, slots=True)
class _Deleted:
    dataset: Dataset
    tree_id: int
    is_tree_gone: bool


class Retention:
    """Retention roots, deletion, expiry."""

    def __init__(self, core: Core, reclaimer: Reclaimer) -> None:
        self._core = core
        self._reclaimer = reclaimer

    async def retain(self, manifest_cid: Cid, root: RetentionRoot) -> None:
        """Add a root or let it last longer. Raises UnknownDataset."""
        check_root(root)

        def apply(tables: Tables) -> None:
            row = tables.catalog.find(manifest_cid.digest)
            if row is None:
                raise UnknownDataset(f"dataset {manifest_cid} is not in the store")
            tables.catalog.retain(row.id, root)

        await self._core.committer.run(Change(apply))

    async def release(self, manifest_cid: Cid, kind: str, name: str) -> bool:
        """Take a root away; False when there was none. The dataset stays until it is deleted, or
        collected because its remaining roots expire."""

        def apply(tables: Tables) -> bool:
            row = tables.catalog.find(manifest_cid.digest)
            return row is not None and tables.catalog.release(row.id, kind, name)

        return await self._core.committer.run(Change(apply))

    async def delete(self, manifest_cid: Cid) -> bool:
        """Delete a dataset whatever keeps it; False when it is not here. Gone when this returns;
        its space is given back soon after."""
        if not is_manifest(manifest_cid):
            return False
        return await self._delete(manifest_cid.digest, None)

    async def collect(self) -> int:
        """Delete the datasets that had roots, all of which have expired; how many."""
        now = self._core.clock.now()
        expired = await self._core.off_loop(self._core.meta.reading.catalog.expired, now)
        deleted = 0
        for digest in expired:
            deleted += await self._delete(digest, now)
        return deleted

    async def _delete(self, digest: bytes, expired_at: float | None) -> bool:
        def apply(tables: Tables) -> _Deleted | None:
            row = tables.catalog.find(digest)
            if row is None or (expired_at is not None and not _is_expired(row.roots, expired_at)):
                return None
            tables.catalog.remove(row)
            is_last = not tables.catalog.of_tree(row.tree_id)
            if is_last:
                tables.trees.condemn(row.tree_id)
            return _Deleted(dataset_of(row), row.tree_id, is_last)

        def done(outcome: _Deleted | None) -> None:
            if outcome is None:
                return
            if outcome.is_tree_gone:
                self._core.trees.forget(outcome.tree_id, outcome.dataset.tree_root)
                self._reclaimer.wake()
            self._core.changes.tell("deleted", outcome.dataset)

        change = Change(apply, frees_space=True, done=done)
        return await self._core.committer.run(change) is not None


def check_root(root: RetentionRoot) -> None:
    """Raise InputError for a kind that does not exist."""
    if root.kind not in KINDS:
        raise InputError(
            f"{root.kind!r} is not a kind of retention root; kinds: {', '.join(KINDS)}"
        )


def _is_expired(roots: tuple[RetentionRoot, ...], now: float) -> bool:
    return bool(roots) and all(
        root.expires_at is not None and root.expires_at <= now for root in roots
    )
