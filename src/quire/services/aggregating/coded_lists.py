"""The lists with which a customer checks what was coded, as plain datasets of this node.

    leaves    SHA-256 of every leaf of the coded tree        32 bytes each, in their order
    digests   Poseidon2 of the blocks of every row           `steps` of 32 bytes, row after row

Both are made piece by piece, so a large dataset takes no more memory than a small one, and the same
dataset gives the same lists. Source   aggregation/values.EncodedReceipt
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor

from quire.base.errors import SlotFileDamaged, SlotMissing
from quire.dataset.geometry import Geometry
from quire.dataset.slot_tree import NODE_BYTES, slot_layers
from quire.flow.prove import verification_of
from quire.flow.slot_digests import slot_digests
from quire.formats.cid import Cid
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.slot_files import SlotFiles
from quire.store.store import BLOCK_BYTES_DEFAULT, Store

LEAVES_AT_ONCE = 1 << 14


class CodedLists:
    """Made of datasets that are protected and whole on this node."""

    def __init__(self, store: Store, slots: SlotFiles, executor: Executor | None = None) -> None:
        self._store = store
        self._slots = slots
        self._executor = executor

    async def make(self, coded: Dataset, keep: RetentionRoot) -> tuple[Cid, Cid]:
        """(leaves, digests), durable and kept for `keep`.

        Raises   BlockMissing, IntegrityError  the coded dataset is damaged
                 QuotaExceeded, DiskFull
        """
        size = Geometry.of(coded.manifest).total * NODE_BYTES
        with self._store.holding(coded.tree_root):
            leaves = await self._put(self._leaves(coded), size, keep)
            return leaves, await self._put(self._digests(coded), size, keep)

    # ---- inside ----

    async def _put(self, pieces: AsyncIterator[bytes], size: int, keep: RetentionRoot) -> Cid:
        upload = self._store.begin_upload(block_size=BLOCK_BYTES_DEFAULT, expected_bytes=size)
        try:
            async for piece in pieces:
                await upload.write(piece)
            return (await upload.commit(root=keep)).manifest_cid
        except BaseException:
            await asyncio.shield(upload.abort())
            raise

    async def _leaves(self, coded: Dataset) -> AsyncIterator[bytes]:
        count = Geometry.of(coded.manifest).total
        for start in range(0, count, LEAVES_AT_ONCE):
            part = min(LEAVES_AT_ONCE, count - start)
            yield await self._store.read_leaves(coded.tree_root, start, part)

    async def _digests(self, coded: Dataset) -> AsyncIterator[bytes]:
        for slot in range(Geometry.of(coded.manifest).slots):
            yield await self._of_slot(coded, slot)

    async def _of_slot(self, coded: Dataset, slot: int) -> bytes:
        """The digests of a row, from the slot's file, which is made anew when it is of no use."""
        geometry, root = Geometry.of(coded.manifest), coded.tree_root
        slot_root = verification_of(coded.manifest).slot_roots[slot].digest
        loop = asyncio.get_running_loop()

        async def layers() -> bytes:
            digests = await slot_digests(self._store, root, geometry, slot, self._executor)
            return await loop.run_in_executor(
                self._executor, slot_layers, digests, geometry.block_size
            )

        tree = await self._slots.open_or_rebuild(root, slot, slot_root, layers)
        try:
            return await loop.run_in_executor(self._executor, tree.leaves, geometry.steps)
        except (SlotFileDamaged, SlotMissing):
            tree = await self._slots.rebuild(root, slot, slot_root, layers)
        return await loop.run_in_executor(self._executor, tree.leaves, geometry.steps)
