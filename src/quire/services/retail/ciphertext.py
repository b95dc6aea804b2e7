"""The encrypted dataset that replicas are made of, chunk by chunk, and its sealed form.

A chunk is a run of blocks of the dataset. Its sealed form is never written here: blocks are read
from the store, sealed and sent, as often as needed (docs/adr/0032).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar, TypeVarTuple

from quire.base.errors import BadManifest
from quire.base.invariant import invariant
from quire.dataset.envelope.seal import Sealer
from quire.formats.manifest import Manifest
from quire.kernels.hashing import merkle_root, sha256_blocks
from quire.point.values import BLOCK_BYTES
from quire.services.retail.piece_cache import PieceCache
from quire.store.port import BlockStore

PIECE_BLOCKS = 16  # read and sealed in one step: 1 MiB

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True, slots=True)
class Extent:
    """Blocks [first, first + count) of the dataset; `size` bytes of them are data."""

    first: int
    count: int
    size: int


@dataclass(frozen=True, slots=True)
class SealedForm:
    """What is known of a sealed chunk: the digests of its blocks, and the root of their tree."""

    root: bytes
    leaves: bytes
    size: int


def check_sealable(manifest: Manifest) -> None:
    """Raise BadManifest unless replicas can be made of the dataset."""
    if manifest.block_size != BLOCK_BYTES:
        raise BadManifest(
            f"replicas are made of datasets with blocks of {BLOCK_BYTES} bytes, not "
            f"{manifest.block_size}; put the file again with encryption on"
        )
    if manifest.is_protected or not manifest.dataset_size:
        what = "erasure-coded" if manifest.is_protected else "empty"
        raise BadManifest(f"replicas cannot be made of a dataset that is {what}")


def extent_of(manifest: Manifest, first: int, count: int) -> Extent:
    """A run of blocks, with the bytes of the dataset that it holds."""
    invariant(first >= 0 and 0 < count <= manifest.block_count - first, "the run is in the dataset")
    stop = min(manifest.dataset_size, (first + count) * BLOCK_BYTES)
    return Extent(first, count, stop - first * BLOCK_BYTES)


class Ciphertext:
    """Reads the blocks of one dataset from the store, as they are and sealed."""

    def __init__(
        self,
        store: BlockStore,
        manifest: Manifest,
        pieces: PieceCache,
        executor: Executor | None,
    ) -> None:
        check_sealable(manifest)
        self._store = store
        self._pieces = pieces
        self._manifest = manifest
        self._executor = executor

    @property
    def root(self) -> bytes:
        return self._manifest.tree_cid.digest

    @property
    def size(self) -> int:
        return self._manifest.dataset_size

    def extent(self, first: int, count: int) -> Extent:
        return extent_of(self._manifest, first, count)

    def is_here(self, extent: Extent) -> bool:
        """Whether the store has every block of a run."""
        tree = self._store.tree(self.root)
        return tree is not None and tree.present.covers(extent.first, extent.first + extent.count)

    async def read(self, first: int, count: int) -> memoryview:
        """Blocks, the last of the dataset cut to its length. Raises BlockMissing."""

        async def read() -> memoryview:
            data = await self._store.read_range(self.root, first, count)
            return memoryview(data)[: self.extent(first, count).size]

        return await self._pieces.get((self.root, first, count), read)

    async def seal(self, extent: Extent, sealer: Sealer) -> SealedForm:
        """Digests and root of a sealed chunk, in one pass. Raises BlockMissing."""
        digests = []
        for start in range(0, extent.count, PIECE_BLOCKS):
            count = min(PIECE_BLOCKS, extent.count - start)
            data = await self.read(extent.first + start, count)
            digests.append(await self._off_loop(_digests, sealer, extent.first + start, data))
        leaves = b"".join(digests)
        return SealedForm(merkle_root(leaves), leaves, extent.size)

    async def sealed(self, extent: Extent, sealer: Sealer, start: int, count: int) -> bytes:
        """Blocks [start, start + count) of a sealed chunk, whole. Raises BlockMissing."""
        data = await self.read(extent.first + start, count)
        return await self._off_loop(sealer.blocks, extent.first + start, data)

    def _off_loop(self, work: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._executor, work, *args)


def _digests(sealer: Sealer, first: int, data: memoryview) -> bytes:
    return sha256_blocks(sealer.blocks(first, data), BLOCK_BYTES)
