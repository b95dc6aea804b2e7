"""Bytes of one upload on their way to the disk and into the index.

Bytes gather in a segment of about 2 MiB; full segments are hashed and written by worker threads,
a few at a time, while the next one fills. What has piled up enters the index in steps, as a tree
without a name, so that the last transaction is short however long the upload was. A step is
durable: an upload that may be resumed notes with each one how far it is (`Note`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from quire.base.errors import InputError, QuireError
from quire.base.invariant import invariant
from quire.formats.manifest import MAX_BLOCK_BYTES, MIN_BLOCK_BYTES
from quire.store.core import Core
from quire.store.disk import Buffer
from quire.store.meta import Tables
from quire.store.publish import Staged, condemn_change, stage_change
from quire.store.quota import Reservation
from quire.store.segment import LeafBatch, Segment, SegmentWriter, is_in
from quire.store.shape import PAGE_LEAVES

SEGMENT_BYTES = 1 << 21
SEGMENTS_IN_FLIGHT = 3  # of one upload
STAGE_LEAVES = 2 * PAGE_LEAVES  # a step into the index: 128 MiB of 64 KiB blocks
MANIFEST_BYTES_EXPECTED = 512
BUFFERS_KEPT = 8

# Within the transaction of a step: what is staged now, and the bytes after its last whole block.
Note: TypeAlias = Callable[[Tables, Staged, bytes], None]


@dataclass(frozen=True, slots=True)
class IntakePorts:
    """What all uploads of a store share."""

    core: Core
    writer: SegmentWriter
    slots: asyncio.Semaphore  # segments in flight, of all uploads together
    buffers: list[bytearray]  # of SEGMENT_BYTES, to be used again


class Intake:
    """Takes bytes until `finish`. Not to be used by two tasks at once.

    After a failure, or a cancelled `write`, only `write` after a cancelled one and `discard` make
    sense; `is_broken` tells that blocks are lost and nothing more can be staged."""

    def __init__(
        self,
        ports: IntakePorts,
        reservation: Reservation,
        block_size: int,
        *,
        expected_bytes: int | None = None,
        staged: Staged | None = None,
        tail: bytes = b"",
        note: Note | None = None,
    ) -> None:
        self._ports = ports
        self._core = ports.core
        self.block_size = block_size
        self.staged = staged or Staged()
        self.batch = LeafBatch(block_size)
        self.received_bytes = self.staged.leaf_count * block_size + len(tail)
        self.durable_bytes = self.received_bytes  # of an upload that notes its steps
        self.pending_bytes = 0  # of segments sent, not in the index
        self.is_held = False  # nothing enters the index for now
        self.is_broken = False
        self.reservation = reservation
        blocks = max(1, SEGMENT_BYTES // block_size)
        self._segment_bytes = (1 << (blocks.bit_length() - 1)) * block_size
        if expected_bytes is not None:
            self._segment_bytes = min(self._segment_bytes, padded(expected_bytes, block_size))
        self._buffer: bytearray | None = None
        self._filled = 0
        self._flying: deque[asyncio.Task[Segment]] = deque()
        self._staging: tuple[LeafBatch, bytes, asyncio.Future[Staged]] | None = None
        self._note = note
        if tail:
            self._fill(memoryview(tail))

    async def write(self, data: Buffer) -> None:
        """Take bytes; waits while too many are on their way to the disk.

        Raises QuotaExceeded, DiskFull."""
        view = memoryview(data).cast("B")
        while view:
            taken = self._fill(view)
            self.received_bytes += taken
            view = view[taken:]
            if self._filled == self._segment_bytes:
                await self._send(self._filled)

    async def finish(self) -> None:
        """Everything taken is written, a short last block too; what is not staged is in `batch`."""
        self.is_held = True  # a padded block is no place to go on from
        if self._filled:
            await self._send(self._filled)
        await self._land_all()

    async def checkpoint(self) -> None:
        """Everything taken is durable and noted. Only whole blocks enter the index."""
        whole = self._filled - self._filled % self.block_size
        if whole:
            await self._send(whole)
        await self._land_all()
        tail = b"" if self._buffer is None else bytes(memoryview(self._buffer)[: self._filled])
        self._stage(tail)
        await self._finish_staging()

    async def discard(self) -> None:
        """Give back what was written and is not in the index; what is staged stays staged."""
        self.is_broken = True
        for task in self._flying:
            await asyncio.wait([task])
            if not task.cancelled() and task.exception() is None:
                self.batch.add(task.result())
        self._flying.clear()
        with suppress(QuireError):
            await self._finish_staging()
        self._keep_buffer()
        await self._core.off_loop(self.give_back)

    def give_back(self) -> None:
        """Blocks of the batch never reach the index. Blocking."""
        self._core.pins.unpin(self.batch.pinned)
        self._core.packs.discard(self.batch.extents)

    def condemn_staged(self) -> None:
        """What is staged is to be taken apart."""
        if self.staged.tree_id is not None:
            change = condemn_change(self.staged.tree_id)
            # When this fails the next start condemns what is staged.
            self._core.committer.hand_in(change).add_done_callback(lambda f: f.exception())

    def _fill(self, view: memoryview) -> int:
        """Copy what fits into the gathering segment; how much that was."""
        if self._buffer is None:
            self._buffer = self._take_buffer()
        part = view[: self._segment_bytes - self._filled]
        self._buffer[self._filled : self._filled + len(part)] = part
        self._filled += len(part)
        return len(part)

    def _take_buffer(self) -> bytearray:
        if self._segment_bytes == SEGMENT_BYTES and self._ports.buffers:
            return self._ports.buffers.pop()
        return bytearray(self._segment_bytes)

    def _keep_buffer(self) -> None:
        buffer, self._buffer, self._filled = self._buffer, None, 0
        if buffer is not None:
            self._reuse(buffer)

    def _reuse(self, buffer: bytearray) -> None:
        if len(buffer) == SEGMENT_BYTES and len(self._ports.buffers) < BUFFERS_KEPT:
            self._ports.buffers.append(buffer)

    async def _send(self, size: int) -> None:
        """Give the first `size` bytes of the gathered segment to a worker thread."""
        while len(self._flying) >= SEGMENTS_IN_FLIGHT:
            await self._land()
        more = padded(size, self.block_size)
        self.reservation.cover(self.pending_bytes + more + MANIFEST_BYTES_EXPECTED)
        await self._ports.slots.acquire()
        self.pending_bytes += more
        buffer, filled = self._buffer, self._filled
        invariant(buffer is not None and 0 < size <= filled, "no segment to send")
        assert buffer is not None
        self._buffer, self._filled = None, 0
        if size < filled:
            self._fill(memoryview(buffer)[size:filled])
        work = self._hash_and_write(buffer, size)
        self._flying.append(asyncio.create_task(work, name="upload segment"))

    async def _hash_and_write(self, buffer: bytearray, size: int) -> Segment:
        staging = () if self._staging is None else (self._staging[0],)
        is_written = is_in(self.batch, *staging)
        view = memoryview(buffer)[:size]
        try:
            return await self._core.off_loop(
                self._ports.writer.hash_and_write, view, self.block_size, is_written
            )
        finally:
            view.release()
            self._ports.slots.release()
            self._reuse(buffer)

    async def _land_all(self) -> None:
        while self._flying:
            await self._land()
        await self._finish_staging()

    async def _land(self) -> None:
        """Wait for the oldest segment and take its leaves."""
        await asyncio.wait([self._flying[0]])
        try:
            self.batch.add(self._flying.popleft().result())
        except BaseException:
            self.is_broken = True
            raise
        if len(self.batch) >= STAGE_LEAVES and not self.is_held:
            await self._finish_staging()
            self._stage(b"")

    def _stage(self, tail: bytes) -> None:
        """Let what has piled up enter the index."""
        note, batch = self._note, self.batch
        change = stage_change(
            self._core,
            batch,
            self.staged,
            None if note is None else (lambda tables, staged: note(tables, staged, tail)),
        )
        self._staging = (batch, tail, self._core.committer.hand_in(change))
        self.batch = LeafBatch(self.block_size)

    async def _finish_staging(self) -> None:
        """Wait for the last step into the index. Raises what went wrong with it."""
        if self._staging is None:
            return
        batch, tail, future = self._staging
        await asyncio.wait([future])
        self._staging = None
        if future.exception() is not None:
            self.is_broken = True
            self.batch.extents.extend(batch.extents)
            self.batch.pinned.extend(batch.pinned)
        self.staged = future.result()
        self.durable_bytes = self.staged.leaf_count * self.block_size + len(tail)
        in_index = len(batch) * self.block_size
        self.pending_bytes -= in_index
        self.reservation.release(in_index)


def check_block_size(block_size: int) -> None:
    """Raise InputError for a size that the format does not allow."""
    is_power_of_two = block_size > 0 and block_size & (block_size - 1) == 0
    if not is_power_of_two or not MIN_BLOCK_BYTES <= block_size <= MAX_BLOCK_BYTES:
        raise InputError(
            f"a block size of {block_size} cannot be used; it must be a power of two from "
            f"{MIN_BLOCK_BYTES} to {MAX_BLOCK_BYTES}"
        )


def padded(size_bytes: int, block_size: int) -> int:
    """The size with a whole last block; one block at least."""
    return max(1, -(-size_bytes // block_size)) * block_size
