"""Stage 4: a dataset becomes a stream of bytes again, from here or from other nodes.

    wanted range -> [ensure ahead of the reader, up to AHEAD_BYTES, only what is not here]
                 -> [read ahead of the reader, READS_AHEAD chunks, verified] -> chunk -> reader

Nothing runs further ahead than that, so a slow reader costs a fixed amount of memory, disk and
network. A block that fails its hash counts as missing: it is asked from the network and read again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, TypeVar

from quire.base.clock import Clock
from quire.base.errors import BlockMissing, DeadlineExceeded, InputError
from quire.base.spans import span
from quire.base.units import MIB
from quire.flow.active import ActiveTransfers
from quire.net.exchange.engine import Exchange
from quire.store.dataset import Dataset
from quire.store.port import BlockStore

T = TypeVar("T")

CHUNK_BYTES = 2 * MIB  # read from the store in one call
READS_AHEAD = 3  # chunks read while the reader is busy with another
PIECE_BYTES = 8 * MIB  # asked from the network in one call
AHEAD_BYTES = 32 * MIB  # how far the network may run ahead of the reader
READ_ATTEMPTS = 3  # a chunk whose blocks turn out bad is repaired and read again


class Downloads:
    """Reads datasets for faces, and counts what it hands out."""

    def __init__(self, store: BlockStore, exchange: Exchange, clock: Clock) -> None:
        self._store = store
        self._exchange = exchange
        self._clock = clock
        self.active = ActiveTransfers()
        self.finished = 0
        self.sent_bytes = 0

    async def read(
        self,
        dataset: Dataset,
        *,
        offset: int = 0,
        length: int | None = None,
        idle_seconds: float = 30.0,
    ) -> AsyncGenerator[memoryview, None]:
        """The bytes [offset, offset + length) of a dataset, in chunks, in order, verified.

        Close the generator (`contextlib.aclosing`) when stopping early.
        Raises   InputError        the range is not inside the dataset
                 DeadlineExceeded  nothing arrived from the network for `idle_seconds`
        """
        size = dataset.manifest.original_size
        stop = size if length is None else offset + length
        if not 0 <= offset <= stop <= size:
            raise InputError(f"bytes {offset} to {stop} are not inside the {size} of the dataset")
        subject = str(dataset.manifest_cid)
        ahead = _Ahead(self._store, self._exchange, self._clock, dataset, idle_seconds)
        try:
            with (
                self._store.holding(dataset.tree_root),
                self.active.watch(subject, stop - offset, self._clock.monotonic()) as shown,
                span("download", is_current=False, cid=subject, bytes=stop - offset),
            ):
                async for chunk in _chunks(ahead, offset, stop):
                    self.sent_bytes += len(chunk)
                    shown.done_bytes += len(chunk)
                    yield chunk
            self.finished += 1
        finally:
            await ahead.close()


async def _chunks(ahead: _Ahead, offset: int, stop: int) -> AsyncGenerator[memoryview, None]:
    """Cut [offset, stop) into chunks on block borders and yield them as they are read."""
    block_size = ahead.dataset.manifest.block_size
    per_chunk = max(1, CHUNK_BYTES // block_size)
    first, last = offset // block_size, -(-stop // block_size)
    starts = deque(range(first, last, per_chunk))
    reads: deque[tuple[int, asyncio.Task[bytes]]] = deque()
    ahead.begin(first, last)
    while starts or reads:
        while starts and len(reads) <= READS_AHEAD:
            start = starts.popleft()
            count = min(per_chunk, last - start)
            reads.append((start, ahead.spawn(ahead.read(start, count))))
        start, task = reads.popleft()
        data = await task
        base = start * block_size
        yield memoryview(data)[max(0, offset - base) : stop - base]


class _Ahead:
    """What runs ahead of one reader: network pieces and disk reads, as tasks."""

    def __init__(
        self,
        store: BlockStore,
        exchange: Exchange,
        clock: Clock,
        dataset: Dataset,
        idle_seconds: float,
    ) -> None:
        self.dataset = dataset
        self._store = store
        self._exchange = exchange
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._root = dataset.tree_root
        self._pieces: dict[int, asyncio.Task[None]] = {}  # first block of the piece -> task
        self._tasks: dict[asyncio.Task[Any], None] = {}  # a dict, to cancel in a fixed order
        self._per_piece = max(1, PIECE_BYTES // dataset.manifest.block_size)
        self._window = max(1, AHEAD_BYTES // PIECE_BYTES)
        self._first = self._last = 0
        self._needs_network = False

    def begin(self, first: int, last: int) -> None:
        """The reader wants blocks [first, last); the network is used when one is not here."""
        tree = self._store.tree(self._root)
        self._needs_network = tree is None or not tree.present.covers(first, last)
        self._first, self._last = first, last

    async def read(self, start: int, count: int) -> bytes:
        """Whole blocks [start, start + count), got from the network where they are not here."""
        if self._needs_network:
            await self._arrived(start, count)
        for _ in range(READ_ATTEMPTS - 1):
            try:
                return await self._store.read_range(self._root, start, count)
            except BlockMissing:
                await self._ensure(start, count)
        return await self._store.read_range(self._root, start, count)

    async def _arrived(self, start: int, count: int) -> None:
        """Wait for the pieces of these blocks, with the following ones already on their way."""
        piece_of = (start - self._first) // self._per_piece
        last_piece = (start + count - 1 - self._first) // self._per_piece
        for index in range(piece_of, last_piece + self._window):
            at = self._first + index * self._per_piece
            if at >= self._last or at in self._pieces:
                continue
            length = min(self._per_piece, self._last - at)
            self._pieces[at] = self.spawn(self._ensure(at, length))
        for index in range(piece_of, last_piece + 1):
            await asyncio.shield(self._pieces[self._first + index * self._per_piece])

    async def _ensure(self, start: int, count: int) -> None:
        """Have the blocks here; gives up only when nothing at all arrives for a while."""
        present = self._present(start, count)
        while True:
            try:
                deadline = self._clock.monotonic() + self._idle_seconds
                await self._exchange.ensure(self.dataset, start, count, deadline)
                return
            except DeadlineExceeded:
                now_present = self._present(start, count)
                if now_present <= present:
                    raise
                present = now_present

    def _present(self, start: int, count: int) -> int:
        tree = self._store.tree(self._root)
        return 0 if tree is None else tree.present.within(start, start + count).count()

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks[task] = None
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """Take note of the outcome, so that a failure nobody waits for is no surprise later."""
        del self._tasks[task]
        if not task.cancelled():
            task.exception()

    async def close(self) -> None:
        """Cancel what still runs and take its outcome, whatever it is."""
        tasks = [*self._tasks, *self._pieces.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
