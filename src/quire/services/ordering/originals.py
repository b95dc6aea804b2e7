"""The dataset that was ordered to be coded, as its owner has it: whole, in the store of this node,
or only what was kept of it while it streamed by (streamed.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from quire.base.errors import UnknownDataset
from quire.base.ranges import RangeSet
from quire.dataset.geometry import Geometry
from quire.formats.cid import Cid
from quire.formats.manifest import Manifest
from quire.store.dataset import Dataset
from quire.store.port import BlockStore


class Original(Protocol):
    """Its own digests, and the rows of columns."""

    @property
    def cid(self) -> Cid: ...

    @property
    def manifest(self) -> Manifest: ...

    async def leaves(self, start: int, count: int) -> bytes:
        """The digests of so many of its blocks. Raises BlockMissing."""

    async def rows(self, geometry: Geometry, columns: Sequence[int]) -> list[bytes]:
        """The K data rows of columns that were drawn, in order, pads as zeros. Raises
        BlockMissing."""


class OriginalStore(BlockStore, Protocol):
    """What is used of the store."""

    async def read_ranges(self, root: bytes, ranges: Sequence[tuple[int, int]]) -> list[bytes]: ...

    async def dataset(self, manifest_cid: Cid) -> Dataset | None: ...


class StoredOriginal:
    """Every block of it is here."""

    def __init__(self, store: OriginalStore, dataset: Dataset) -> None:
        self._store = store
        self._dataset = dataset

    @property
    def cid(self) -> Cid:
        return self._dataset.manifest_cid

    @property
    def manifest(self) -> Manifest:
        return self._dataset.manifest

    async def leaves(self, start: int, count: int) -> bytes:
        return await self._store.read_leaves(self._dataset.tree_root, start, count)

    async def rows(self, geometry: Geometry, columns: Sequence[int]) -> list[bytes]:
        runs = list(RangeSet((column, column + 1) for column in columns))
        wanted = [
            (geometry.index(row, first), min(stop, stored) - first)
            for row in range(geometry.k)
            for first, stop in runs
            if first < (stored := geometry.stored_blocks(row))
        ]
        found = iter(await self._store.read_ranges(self._dataset.tree_root, wanted))
        rows = []
        for row in range(geometry.k):
            stored = geometry.stored_blocks(row)
            data = b"".join(next(found) for first, _ in runs if first < stored)
            rows.append(data.ljust(len(columns) * geometry.block_size, b"\0"))
        return rows


async def stored_original(store: OriginalStore, cid: Cid) -> StoredOriginal:
    """Raises UnknownDataset when it is not here."""
    dataset = await store.dataset(cid)
    if dataset is None:
        raise UnknownDataset(f"{cid} is not on this node; fetch it first", cid=str(cid))
    return StoredOriginal(store, dataset)
