"""The blocks of sealed replicas: each replica is an ordinary dataset of the store.

What is here is known from the store; what was handed to it and is on its way to the disk is
remembered until the next flush. Nobody else is told of these datasets (store/withheld.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from typing import Protocol

from quire.base.errors import BlockMissing, InputError, QuireError
from quire.base.ranges import RangeSet
from quire.formats.cid import Cid, manifest_cid, tree_cid
from quire.formats.manifest import Manifest, encode_manifest
from quire.formats.replica_answers import BlockRun
from quire.kernels.hashing import merkle_root
from quire.point.lease import Lease
from quire.point.values import BLOCK_BYTES, LinkId
from quire.services.providing.room import Room
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.port import BlockStore
from quire.store.proved import read_proved
from quire.store.withheld import REPLICA

MARK_LETTERS = 8  # of a place, in the names of retention roots
VERIFY_BLOCKS = 64  # read at once when a whole replica is checked


class ReplicaStore(BlockStore, Protocol):
    """What replicas need of the store."""

    async def datasets(self) -> list[Dataset]: ...

    async def dataset(self, manifest_cid: Cid) -> Dataset | None: ...

    async def release(self, manifest_cid: Cid, kind: str, name: str) -> bool: ...

    async def delete(self, manifest_cid: Cid) -> bool: ...


class ReplicaBlocks:
    """All replicas of one node. `place`: where its leases mean something, such as one account at
    one hub; what is kept for leases of another place is left alone."""

    def __init__(self, store: ReplicaStore, room: Room, place: str) -> None:
        self._store = store
        self._room = room
        self._mark = sha256(place.encode()).hexdigest()[:MARK_LETTERS]
        self._arrived: dict[bytes, RangeSet] = {}  # by link: handed to the store, or here

    async def register(self, lease: Lease, root: bytes, leaves: bytes) -> None:
        """Know the digests of a replica's blocks. Idempotent; durable on return.

        Raises InputError when they do not make the root, or when the tree is here and public;
        QuotaExceeded, DiskFull."""
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(None, merkle_root, leaves) != root:
            raise InputError("the digests do not make the root")
        tree = self._store.tree(root)
        if tree is not None and not tree.is_replica:
            raise InputError("these blocks are here as public data, not sealed for this node")
        retained = RetentionRoot(REPLICA, self._name(lease.order.link_id), None)
        await self._store.put_manifest(_manifest(root, lease.order.sealed_bytes), retained)
        await self._store.put_leaves(root, leaves)

    def have(self, lease: Lease) -> RangeSet:
        """Blocks that are here, or on their way to the disk; not to be changed."""
        if not lease.root:
            return RangeSet()
        arrived = self._arrived.get(lease.order.link_id)
        return self._on_disk(lease) if arrived is None else arrived

    async def put(self, lease: Lease, index: int, data: memoryview) -> bool:
        """Take whole blocks; whether all are here now. They are durable after `settle`.

        Raises IntegrityError with the fact `leaf`, the first block that does not match its digest
        (then none is kept); BlockMissing, QuotaExceeded, DiskFull."""
        link_id, count = lease.order.link_id, len(data) // BLOCK_BYTES
        arrived = self._arrived.get(link_id)
        if arrived is None:
            arrived = self._arrived[link_id] = self._on_disk(lease)
        if not arrived.covers(index, index + count):
            fresh = count - arrived.within(index, index + count).count()
            with self._room.writing(link_id, fresh * BLOCK_BYTES):
                await self._store.put_block_range(lease.root, index, data)
            arrived.add(index, index + count)
        return arrived.covers(0, lease.order.blocks)

    async def settle(self, lease: Lease) -> int:
        """Make all that was taken durable; how many blocks are here. Raises DiskFull and what else
        went wrong with the writing, after which only what is on disk counts."""
        try:
            await self._store.flush()
        except QuireError:
            self._arrived[lease.order.link_id] = self._on_disk(lease)
            raise
        return self._on_disk(lease).count()

    async def verify(self, lease: Lease) -> bool:
        """Read every block and compare it with its digest."""
        try:
            for start in range(0, lease.order.blocks, VERIFY_BLOCKS):
                count = min(VERIFY_BLOCKS, lease.order.blocks - start)
                await self._store.read_range(lease.root, start, count)
        except BlockMissing:
            return False
        return True

    async def read(self, lease: Lease, indices: Sequence[int]) -> tuple[BlockRun, ...]:
        """Blocks with their proofs. Raises BlockMissing."""
        runs = []
        for start, count in _neighbours(indices):
            data, proof = await read_proved(self._store, lease.root, start, count)
            runs.append(BlockRun(start, data, proof))
        return tuple(runs)

    async def drop(self, lease: Lease) -> None:
        """Nothing is kept for this lease any more. Idempotent."""
        link_id = lease.order.link_id
        if lease.root:
            cid = manifest_cid(_manifest(lease.root, lease.order.sealed_bytes))
            await self._release(cid, self._name(link_id))
        self._arrived.pop(link_id, None)
        self._room.give_back(link_id)

    async def drop_strays(self, known: Sequence[bytes]) -> int:
        """Give up what is kept for links that are not known, as after a crash; how many."""
        names, count = dict.fromkeys(self._name(link_id) for link_id in known), 0
        for dataset in await self._store.datasets():
            for root in dataset.roots:
                is_ours = root.kind == REPLICA and root.name.endswith(f" {self._mark}")
                if is_ours and root.name not in names:
                    await self._release(dataset.manifest_cid, root.name)
                    count += 1
        return count

    def _name(self, link_id: LinkId) -> str:
        """Of the retention root of a link."""
        return f"{link_id.hex()} {self._mark}"

    def _on_disk(self, lease: Lease) -> RangeSet:
        tree = self._store.tree(lease.root)
        return RangeSet() if tree is None else tree.present

    async def _release(self, cid: Cid, name: str) -> None:
        await self._store.release(cid, REPLICA, name)
        dataset = await self._store.dataset(cid)
        if dataset is not None and not dataset.roots:
            await self._store.delete(cid)


def _manifest(root: bytes, sealed_bytes: int) -> bytes:
    return encode_manifest(Manifest(tree_cid(root), BLOCK_BYTES, sealed_bytes))


def _neighbours(indices: Sequence[int]) -> list[tuple[int, int]]:
    """(first, count) of consecutive numbers."""
    runs: list[tuple[int, int]] = []
    for index in indices:
        if runs and sum(runs[-1]) == index:
            runs[-1] = runs[-1][0], runs[-1][1] + 1
        else:
            runs.append((index, 1))
    return runs
