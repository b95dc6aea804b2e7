"""Datasets that come from the network: a manifest first, then ranges of verified blocks.

A range is written when it is put; ranges of a tenth of a second, or 16 MiB, enter the index
together. Digests and proof nodes are kept, so that what is held can be proved to others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from quire.base.errors import BlockMissing, InputError, IntegrityError, QuireError
from quire.base.ranges import RangeSet
from quire.base.units import MIB
from quire.formats.cid import manifest_cid
from quire.formats.manifest import decode_manifest
from quire.store.core import Core
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.disk import Buffer
from quire.store.fetched import FetchedBatch, FetchedRange, fetched_change
from quire.store.leaflists import LeafLists, check_blocks
from quire.store.read import check_range
from quire.store.register import register_change
from quire.store.segment import SegmentWriter
from quire.store.shape import DIGEST_BYTES
from quire.store.treecache import TreeEntry

BATCH_BYTES = 16 * MIB
BATCH_SECONDS = 0.1
QUEUED_BYTES_MAX = 48 * MIB  # written or being written, not in the index


class PartialWriter:
    """Takes manifests and ranges. `write_ended` is called when blocks are pinned no more."""

    def __init__(
        self,
        core: Core,
        writer: SegmentWriter,
        leaf_lists: LeafLists,
        write_ended: Callable[[], None],
    ) -> None:
        self._core = core
        self._writer = writer
        self._leaf_lists = leaf_lists
        self._write_ended = write_ended
        self._batches: dict[int, FetchedBatch] = {}  # by block size, gathering
        self._decided: dict[asyncio.Future[None], None] = {}
        self._writing: dict[asyncio.Task[None], None] = {}
        self._queued_bytes = 0
        self._room = asyncio.Condition()
        self._timer: asyncio.TimerHandle | None = None
        self._error: BaseException | None = None

    async def put_manifest(self, data: bytes, root: RetentionRoot) -> Dataset:
        """See BlockStore.put_manifest. Raises BadManifest, QuotaExceeded, DiskFull."""
        manifest = decode_manifest(data)
        digest = manifest_cid(data).digest
        quota = self._core.quota
        quota.reserve(len(data))
        change = register_change(self._core, bytes(data), digest, manifest, root)
        change.failed = lambda _: quota.release(len(data))
        outcome = await self._core.committer.run(change)
        return outcome.dataset

    async def put_range(
        self, root: bytes, start: int, data: Buffer, digests: Buffer, proof: Buffer
    ) -> None:
        """See BlockStore.put_range."""
        self._raise_late_error()
        entry = self._entry(root)
        view = memoryview(data).cast("B")
        count = len(digests) // DIGEST_BYTES
        check_range(entry, start, count)
        if len(view) != count * entry.block_size:
            raise InputError(f"{len(view)} bytes are not {count} blocks of {entry.block_size}")
        if not entry.stores(start, start + count):
            fetched = FetchedRange(entry.id, root, start, bytes(digests), bytes(proof))
            await self._take(fetched, view, entry.block_size)

    async def put_block_range(self, root: bytes, start: int, data: Buffer) -> None:
        """See BlockStore.put_block_range."""
        self._raise_late_error()
        entry = self._entry(root)
        view, size = memoryview(data).cast("B"), entry.block_size
        count, rest = divmod(len(view), size)
        if rest:
            raise InputError(f"{len(view)} bytes are not whole blocks of {size}")
        check_range(entry, start, count)
        digests = await self._leaf_lists.read(root, start, count)
        blocks, bad = await self._core.off_loop(check_blocks, view, size, digests)
        if bad is not None:
            raise IntegrityError(
                f"block {start + bad} does not match its digest in the tree {root.hex()[:16]}…; "
                "nothing of the range was kept",
                leaf=start + bad,
            )
        present = entry.present.within(start, start + count)
        for low, high in RangeSet((start + a, start + b) for a, b in blocks).minus(present):
            a, b = low - start, high - start
            part = digests[a * DIGEST_BYTES : b * DIGEST_BYTES]
            fetched = FetchedRange(entry.id, root, low, part, None)
            await self._take(fetched, view[a * size : b * size], size)

    async def flush(self) -> None:
        """See BlockStore.flush."""
        while self._writing:
            await asyncio.wait(list(self._writing))
        self._hand_in()
        while self._decided:
            await asyncio.wait(list(self._decided))
        self._raise_late_error()

    def _entry(self, root: bytes) -> TreeEntry:
        entry = self._core.trees.entry(root)
        if entry is None:
            raise BlockMissing(f"no tree with the root {root.hex()} is known here")
        return entry

    async def _take(self, fetched: FetchedRange, view: memoryview, block_size: int) -> None:
        """Write verified blocks; they enter the index soon."""
        self._core.quota.reserve(len(view))
        try:
            await self._wait_for_room(len(view))
        except BaseException:
            self._core.quota.release(len(view))
            raise
        loop = asyncio.get_running_loop()
        writing = loop.create_task(self._write(fetched, view, block_size))
        self._writing[writing] = None
        writing.add_done_callback(self._written)
        await asyncio.shield(writing)

    async def _write(self, fetched: FetchedRange, view: memoryview, block_size: int) -> None:
        size = len(view)
        try:
            # Two ranges that bring the same block at the same time both write it; the index
            # keeps one.
            segment = await self._core.off_loop(
                self._writer.write, view, fetched.digests, block_size, _never
            )
        except BaseException:
            self._core.quota.release(size)
            self._write_ended()
            await self._make_room(size)
            raise
        gathering = self._batches.setdefault(block_size, FetchedBatch(block_size))
        gathering.add(fetched, segment, size)
        if gathering.size_bytes >= BATCH_BYTES:
            self._hand_in()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(BATCH_SECONDS, self._hand_in)

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writing.pop(task, None)
        if not task.cancelled():
            task.exception()  # seen: whoever put the range may have been cancelled

    def _hand_in(self) -> None:
        """Let what has gathered enter the index."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        for batch in self._batches.values():
            decided = loop.create_task(self._decide(batch))
            self._decided[decided] = None
            decided.add_done_callback(lambda task: self._decided.pop(task, None))
        self._batches = {}

    async def _decide(self, batch: FetchedBatch) -> None:
        try:
            await self._core.committer.run(fetched_change(self._core, batch))
        except QuireError as error:
            self._error = error
            self._core.events.publish(
                "store.range-lost", "", f"blocks that were fetched could not be kept: {error}"
            )
        self._write_ended()
        await self._make_room(batch.size_bytes)

    async def _wait_for_room(self, size: int) -> None:
        async with self._room:
            await self._room.wait_for(
                lambda: self._queued_bytes == 0 or self._queued_bytes + size <= QUEUED_BYTES_MAX
            )
            self._queued_bytes += size

    async def _make_room(self, size: int) -> None:
        async with self._room:
            self._queued_bytes -= size
            self._room.notify_all()

    def _raise_late_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error


def _never(_: bytes) -> bool:
    return False
