"""An upload: bytes come in at any size, blocks go to the disk, a dataset appears at the end.

Bytes gather in a segment of about 2 MiB; full segments are hashed and written by worker threads,
a few at a time, while the next one fills. What has piled up enters the index in steps as a tree
without a name, so that the last transaction is short however long the upload was. Only `commit`
gives the tree its name and the dataset its row, in one transaction.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from quire.base.errors import InputError, QuireError
from quire.base.invariant import invariant
from quire.formats.cid import manifest_cid, tree_cid
from quire.formats.manifest import Manifest, encode_manifest
from quire.formats.names import check_filename, check_mimetype
from quire.store.core import Core
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.disk import Buffer
from quire.store.publish import (
    Publication,
    Staged,
    condemn_change,
    publish_change,
    stage_change,
)
from quire.store.quota import Reservation
from quire.store.segment import LeafBatch, Segment, SegmentWriter, is_in
from quire.store.shape import PAGE_LEAVES

SEGMENT_BYTES = 1 << 21
SEGMENTS_IN_FLIGHT = 3  # of one upload
STAGE_LEAVES = 2 * PAGE_LEAVES  # a step into the index: 128 MiB of 64 KiB blocks
MANIFEST_BYTES_EXPECTED = 512


@dataclass(frozen=True, slots=True)
class UploadPorts:
    """What all uploads of a store share."""

    core: Core
    writer: SegmentWriter
    slots: asyncio.Semaphore  # segments in flight, of all uploads together
    buffers: list[bytearray]  # of SEGMENT_BYTES, to be used again
    default_root: Callable[[], RetentionRoot]
    ended: Callable[[Upload], None]  # committed, aborted or failed


class Upload:
    """Write, then either `commit` or `abort`. Not to be used by two tasks at once."""

    def __init__(self, ports: UploadPorts, block_size: int, expected_bytes: int | None) -> None:
        self._ports = ports
        self._core = ports.core
        self.block_size = block_size
        self.received_bytes = 0
        blocks = max(1, SEGMENT_BYTES // block_size)
        self._segment_bytes = (1 << (blocks.bit_length() - 1)) * block_size
        if expected_bytes is not None:
            most = max(block_size, _padded(expected_bytes, block_size))
            self._segment_bytes = min(self._segment_bytes, most)
        self._buffer: bytearray | None = None
        self._filled = 0
        self._flying: deque[asyncio.Task[Segment]] = deque()
        self._batch = LeafBatch(block_size)
        self._staged = Staged()
        self._staging: tuple[LeafBatch, asyncio.Future[Staged]] | None = None
        self._is_over = False
        self._cleaning: asyncio.Task[None] | None = None
        self._reservation = Reservation(ports.core.quota)
        self._pending_bytes = 0  # of segments sent, not in the index
        if expected_bytes is not None:
            expected = _padded(expected_bytes, block_size) + MANIFEST_BYTES_EXPECTED
            self._reservation.cover(expected)

    async def write(self, data: Buffer) -> None:
        """Take bytes; waits while too many are on their way to the disk.

        Raises QuotaExceeded, DiskFull; nothing is left of the upload then."""
        self._check_open()
        view = memoryview(data).cast("B")
        try:
            while view:
                if self._buffer is None:
                    self._buffer = self._take_buffer()
                part = view[: self._segment_bytes - self._filled]
                self._buffer[self._filled : self._filled + len(part)] = part
                self._filled += len(part)
                self.received_bytes += len(part)
                view = view[len(part) :]
                if self._filled == self._segment_bytes:
                    await self._send()
        except BaseException:
            await self.abort()
            raise

    async def commit(
        self,
        *,
        filename: str | None = None,
        mimetype: str | None = None,
        root: RetentionRoot | None = None,
    ) -> Dataset:
        """Make the dataset visible and durable.

        Nothing written is a dataset too, without bytes (docs/adr/0008). Raises InputError when a
        name is bad, else as `write`; nothing is left of the upload then."""
        self._check_open()
        try:
            if filename is not None:
                check_filename(filename)
            if mimetype is not None:
                check_mimetype(mimetype)
            if self._filled:
                await self._send()
            while self._flying:
                await self._land()
            await self._finish_staging()
            publication = self._publication(filename, mimetype, root or self._ports.default_root())
            self._reservation.cover(self._pending_bytes + len(publication.manifest_bytes))
        except BaseException:
            await self.abort()
            raise
        self._is_over = True
        change = publish_change(self._core, self._batch, publication, self._settled, self._lost)
        return (await self._core.committer.run(change)).dataset

    async def abort(self) -> None:
        """Leave nothing behind. Does nothing when the upload is over."""
        if not self._is_over:
            self._is_over = True
            self._cleaning = asyncio.create_task(self._clean_up(), name="upload abort")
        if self._cleaning is not None:
            await asyncio.shield(self._cleaning)

    async def _clean_up(self) -> None:
        for task in self._flying:
            await asyncio.wait([task])
            if not task.cancelled() and task.exception() is None:
                self._batch.add(task.result())
        self._flying.clear()
        if self._staging is not None:
            with suppress(QuireError):
                await self._finish_staging()
        await self._core.off_loop(self._discard)
        self._condemn_staged()
        self._settled()

    def _check_open(self) -> None:
        if self._is_over:
            raise InputError("the upload has ended already; begin a new one")

    def _take_buffer(self) -> bytearray:
        if self._segment_bytes == SEGMENT_BYTES and self._ports.buffers:
            return self._ports.buffers.pop()
        return bytearray(self._segment_bytes)

    async def _send(self) -> None:
        """Give the gathered segment to a worker thread."""
        while len(self._flying) >= SEGMENTS_IN_FLIGHT:
            await self._land()
        buffer, filled = self._buffer, self._filled
        invariant(buffer is not None and filled > 0, "no segment to send")
        self._pending_bytes += _padded(filled, self.block_size)
        self._reservation.cover(self._pending_bytes + MANIFEST_BYTES_EXPECTED)
        await self._ports.slots.acquire()
        self._buffer, self._filled = None, 0
        work = self._hash_and_write(buffer or bytearray(), filled)
        self._flying.append(asyncio.create_task(work, name="upload segment"))

    async def _hash_and_write(self, buffer: bytearray, filled: int) -> Segment:
        staging = () if self._staging is None else (self._staging[0],)
        is_written = is_in(self._batch, *staging)
        view = memoryview(buffer)[:filled]
        writer = self._ports.writer
        try:
            return await self._core.off_loop(
                writer.hash_and_write, view, self.block_size, is_written
            )
        finally:
            view.release()
            self._ports.slots.release()
            if len(buffer) == SEGMENT_BYTES and len(self._ports.buffers) < 8:
                self._ports.buffers.append(buffer)

    async def _land(self) -> None:
        """Wait for the oldest segment and take its leaves."""
        await asyncio.wait([self._flying[0]])
        self._batch.add(self._flying.popleft().result())
        if len(self._batch) >= STAGE_LEAVES:
            await self._finish_staging()
            staged = self._staged
            change = stage_change(self._core, self._batch, staged.tree_id, staged.leaf_count)
            self._staging = (self._batch, self._core.committer.hand_in(change))
            self._batch = LeafBatch(self.block_size)

    async def _finish_staging(self) -> None:
        """Wait for the last step into the index. Raises what went wrong with it."""
        if self._staging is None:
            return
        batch, future = self._staging
        await asyncio.wait([future])
        self._staging = None
        if future.exception() is not None:
            self._batch.extents.extend(batch.extents)
            self._batch.pinned.extend(batch.pinned)
        self._staged = self._staged.followed_by(future.result())
        in_index = len(batch) * self.block_size
        self._pending_bytes -= in_index
        self._reservation.release(in_index)

    def _publication(
        self, filename: str | None, mimetype: str | None, root: RetentionRoot
    ) -> Publication:
        tree_root, leaf_count = Publication.root_of(self._staged, self._batch)
        manifest = Manifest(
            tree_cid=tree_cid(tree_root),
            block_size=self.block_size,
            dataset_size=self.received_bytes,
            filename=filename or None,
            mimetype=mimetype or None,
            protection=None,
        )
        data = encode_manifest(manifest)
        return Publication(
            tree_root=tree_root,
            leaf_count=leaf_count,
            manifest_bytes=data,
            manifest_digest=manifest_cid(data).digest,
            root=root,
            staged=self._staged,
        )

    def _discard(self) -> None:
        """Give back what was written and is not in the index."""
        self._core.pins.unpin(self._batch.pinned)
        self._core.packs.discard(self._batch.extents)

    def _condemn_staged(self) -> None:
        if self._staged.tree_id is not None:
            change = condemn_change(self._staged.tree_id)
            # When this fails the next start condemns what is staged.
            self._core.committer.hand_in(change).add_done_callback(lambda f: f.exception())

    def _lost(self, _: BaseException) -> None:
        """The last transaction failed."""
        self._discard()
        self._condemn_staged()
        self._settled()

    def _settled(self) -> None:
        self._buffer = None
        self._reservation.end()
        self._ports.ended(self)


def _padded(size_bytes: int, block_size: int) -> int:
    return -(-size_bytes // block_size) * block_size
