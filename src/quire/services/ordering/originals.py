"""The dataset that was ordered to be coded, as its owner has it: whole, in the store of this node,
or only what was kept of it while it streamed by (streamed.py)."""

from __future__ import annotations

from typing import Protocol

from quire.base.errors import UnknownDataset
from quire.dataset.geometry import Geometry
from quire.flow.coding import read_rows
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

    async def rows(self, geometry: Geometry, first: int, count: int) -> list[bytes]:
        """The K data rows of columns that were drawn, pads as zeros. Raises BlockMissing."""


class OriginalStore(BlockStore, Protocol):
    """What is used of the store."""

    async def dataset(self, manifest_cid: Cid) -> Dataset | None: ...


class StoredOriginal:
    """Every block of it is here."""

    def __init__(self, store: BlockStore, dataset: Dataset) -> None:
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

    async def rows(self, geometry: Geometry, first: int, count: int) -> list[bytes]:
        root = self._dataset.tree_root
        return await read_rows(self._store, root, geometry, range(first, first + count))


async def stored_original(store: OriginalStore, cid: Cid) -> StoredOriginal:
    """Raises UnknownDataset when it is not here."""
    dataset = await store.dataset(cid)
    if dataset is None:
        raise UnknownDataset(f"{cid} is not on this node; fetch it first", cid=str(cid))
    return StoredOriginal(store, dataset)
