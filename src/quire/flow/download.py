"""Stage 4: a dataset becomes a stream of bytes again, from here or from other nodes.

    wanted range -> [ensure ahead of the reader, as far as its pace has earned, what is not here]
                 -> [read ahead of the reader, READS_AHEAD chunks, verified] -> chunk -> reader

Nothing runs further ahead than that, so a slow reader costs a fixed amount of memory, disk and
network. The network begins with little and runs further ahead the more the reader has taken: one
that looks here and there (a video player that seeks) moves little more than it looks at, and gets
its first bytes soon. A block that fails its hash counts as missing: it is asked from the network
and read again. Blocks of a protected dataset that cannot be had are computed (`assemble.py`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar

from quire.base.clock import Clock
from quire.base.errors import BlockMissing, DeadlineExceeded, InputError
from quire.base.spans import span
from quire.base.units import MIB
from quire.flow.active import ActiveTransfers
from quire.flow.assemble import Assembler
from quire.store.dataset import Dataset
from quire.store.port import BlockStore

T = TypeVar("T")

CHUNK_BYTES = 2 * MIB  # read from the store in one call
READS_AHEAD = 3  # chunks read while the reader is busy with another
PIECE_BYTES = 8 * MIB  # asked from the network in one call, at most
FIRST_PIECE_BYTES = MIB // 4  # the pieces then double
AHEAD_BYTES = 32 * MIB  # how far the network may run ahead of what the reader has taken
FIRST_AHEAD_BYTES = MIB  # and how far before it has taken anything
AHEAD_PER_TAKEN = 2  # more for each byte taken
READ_ATTEMPTS = 3  # a chunk whose blocks turn out bad is repaired and read again


class Downloads:
    """Reads datasets for faces, and counts what it hands out."""

    def __init__(self, store: BlockStore, assembler: Assembler, clock: Clock) -> None:
        self._store = store
        self._assembler = assembler
        self._clock = clock
        self.active = ActiveTransfers()
        self.finished = 0
        self.sent_bytes = 0
        self.on_read: Callable[[Dataset, int, int], None] = _unheard

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
                 MalEncoded        blocks that nobody has do not follow from the rows that there are
        """
        size = dataset.manifest.original_size
        stop = size if length is None else offset + length
        if not 0 <= offset <= stop <= size:
            raise InputError(f"bytes {offset} to {stop} are not inside the {size} of the dataset")
        subject, block_size = str(dataset.manifest_cid), dataset.manifest.block_size
        self.on_read(dataset, offset // block_size, -(-stop // block_size))
        ahead = _Ahead(self._store, self._assembler, self._clock, dataset, idle_seconds)
        async with self._assembler.reading(dataset):
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


def _unheard(_dataset: Dataset, _start: int, _stop: int) -> None:
    """Until somebody wants to know what is read."""


async def _chunks(ahead: _Ahead, offset: int, stop: int) -> AsyncGenerator[memoryview, None]:
    """Cut [offset, stop) into chunks on block borders and yield them as they are read."""
    block_size = ahead.dataset.manifest.block_size
    at, last = offset // block_size, -(-stop // block_size)
    reads: deque[tuple[int, int, asyncio.Task[bytes]]] = deque()
    ahead.begin(at, last)
    while at < last or reads:
        while at < last and len(reads) <= READS_AHEAD and (not reads or at < ahead.limit()):
            count = min(ahead.chunk_blocks(at), last - at)
            reads.append((at, count, ahead.spawn(ahead.read(at, count))))
            at += count
        start, count, task = reads.popleft()
        data = await task
        base = start * block_size
        yield memoryview(data)[max(0, offset - base) : stop - base]
        ahead.taken(start + count)


class _Ahead:
    """What runs ahead of one reader: network pieces and disk reads, as tasks."""

    def __init__(
        self,
        store: BlockStore,
        assembler: Assembler,
        clock: Clock,
        dataset: Dataset,
        idle_seconds: float,
    ) -> None:
        self.dataset = dataset
        self._store = store
        self._assembler = assembler
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._root = dataset.tree_root
        self._pieces: deque[tuple[int, asyncio.Task[None]]] = deque()  # (end, task), in order
        self._tasks: dict[asyncio.Task[Any], None] = {}  # a dict, to cancel in a fixed order
        self._first = self._last = 0
        self._taken = 0  # the reader has all before this block
        self._asked = 0  # of the network, all before this block
        self._asked_beside = 0  # and the same columns of later rows
        self._needs_network = False

    def begin(self, first: int, last: int) -> None:
        """The reader wants blocks [first, last); the network is used when one is not here."""
        tree = self._store.tree(self._root)
        self._needs_network = tree is None or not tree.present.covers(first, last)
        self._first = self._taken = self._asked = self._asked_beside = first
        self._last = last

    def taken(self, stop: int) -> None:
        """The reader has taken the blocks before `stop`."""
        self._taken = stop

    def limit(self) -> int:
        """Nothing from this block on is to be asked or read yet."""
        if not self._needs_network:
            return self._last
        earned = FIRST_AHEAD_BYTES + AHEAD_PER_TAKEN * self._bytes(self._taken - self._first)
        return min(self._last, self._taken + self._blocks(min(AHEAD_BYTES, earned)))

    def chunk_blocks(self, at: int) -> int:
        """How many blocks to read from `at` on in one call."""
        return self._ramp(at, CHUNK_BYTES) if self._needs_network else self._blocks(CHUNK_BYTES)

    def _ramp(self, at: int, most_bytes: int) -> int:
        """As much again as was asked so far, within limits."""
        size = max(FIRST_PIECE_BYTES, min(most_bytes, self._bytes(at - self._first)))
        return self._blocks(size)

    def _blocks(self, size_bytes: int) -> int:
        return max(1, size_bytes // self.dataset.manifest.block_size)

    def _bytes(self, blocks: int) -> int:
        return blocks * self.dataset.manifest.block_size

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
        stop = start + count
        while self._asked < max(stop, self.limit()):
            length = min(self._ramp(self._asked, PIECE_BYTES), self._last - self._asked)
            task = self.spawn(self._ensure(self._asked, length))
            self._asked += length
            self._ask_beside()
            self._pieces.append((self._asked, task))
        low = start
        for end, task in list(self._pieces):
            if end > low and low < stop:
                await asyncio.shield(task)
                low = end
        while self._pieces and self._pieces[0][0] <= self._taken:
            self._pieces.popleft()

    def _ask_beside(self) -> None:
        """What the reader takes later is asked of those who would have nothing to do until then."""
        wanted = (self._asked_beside, self._asked, self._last)
        beside = self._assembler.beside(self.dataset, *wanted)
        if beside is not None:
            self._asked_beside = self._asked
            for low, high in beside:
                self.spawn(self._ensure(low, high - low))

    async def _ensure(self, start: int, count: int) -> None:
        """Have the blocks here; gives up only when nothing at all arrives for a while."""
        gained = self._assembler.gained(self.dataset, start, count)
        while True:
            try:
                deadline = self._clock.monotonic() + self._idle_seconds
                await self._assembler.ensure(self.dataset, start, count, deadline)
                return
            except DeadlineExceeded:
                now_gained = self._assembler.gained(self.dataset, start, count)
                if now_gained <= gained:
                    raise
                gained = now_gained

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
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
