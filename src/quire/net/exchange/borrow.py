"""Blocks from other nodes that are handed over and not kept, for whoever computes with them.

They are found, asked for, hedged and verified as in any fetch; instead of the store they go to
memory, and leave it with the read that wanted them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from quire.base.errors import PeerGone
from quire.base.ranges import RangeSet
from quire.net.exchange.context import BlockSink
from quire.net.exchange.explain import Explanation
from quire.net.exchange.outlook import Outlook
from quire.net.exchange.transfer import Transfer
from quire.store.dataset import Dataset, TreeState
from quire.store.disk import Buffer

if TYPE_CHECKING:
    from asyncio import Future

BeginTransfer = Callable[[BlockSink], Transfer]


class _Passing:
    """A sink in memory. Blocks that no read waits for are dropped at once."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._block_size = dataset.manifest.block_size
        self._blocks: dict[int, bytes] = {}
        self._wanted = RangeSet()

    def want(self, start: int, stop: int) -> None:
        self._wanted.add(start, stop)

    def take(self, start: int, stop: int) -> bytes | None:
        """Blocks [start, stop) when all of them are here."""
        blocks = [self._blocks.get(index) for index in range(start, stop)]
        return None if None in blocks else b"".join(block for block in blocks if block is not None)

    def drop(self, start: int, stop: int) -> None:
        self._wanted.remove(start, stop)
        for index in range(start, stop):
            self._blocks.pop(index, None)

    # ---- BlockSink ----

    def tree(self, root: bytes) -> TreeState:
        present = RangeSet()
        for index in self._blocks:
            present.add(index, index + 1)
        return TreeState(root, self._dataset.block_count, self._block_size, present)

    async def put_range(
        self, root: bytes, start: int, data: Buffer, digests: Buffer, proof: Buffer
    ) -> None:
        view, size = memoryview(data).cast("B"), self._block_size
        for at in range(len(view) // size):
            if start + at in self._wanted:
                self._blocks[start + at] = bytes(view[at * size : (at + 1) * size])

    async def flush(self) -> None:
        """Nothing is ever waiting."""


class Borrow:
    """Reads of one tree. Reads must not overlap. Ends with `close`."""

    def __init__(self, dataset: Dataset, begin: BeginTransfer) -> None:
        self._passing = _Passing(dataset)
        self._begin = begin
        self._transfer: Transfer | None = None
        self.received_blocks = 0

    async def read(self, start: int, count: int, deadline: float) -> bytes:
        """Blocks [start, start + count), which must not be padding, verified.

        Raises   DeadlineExceeded  with the reason  ·  Busy, PeerGone when the node stops
        """
        stop, transfer = start + count, self._live()
        self._passing.want(start, stop)
        try:
            await transfer.until_local(start, stop, deadline)
            data = self._passing.take(start, stop)
            if data is None:
                raise PeerGone("the fetch ended while its blocks were handed over; try again")
            self.received_blocks += count
            return data
        finally:
            self._passing.drop(start, stop)
            transfer.scheduler.forget(start, stop)

    def outlook(self) -> Outlook:
        return self._live().outlook()

    def changed(self) -> Future[None]:
        return self._live().changed()

    def explain(self) -> Explanation:
        return self._live().explain()

    async def close(self) -> None:
        """End the fetch behind it."""
        if self._transfer is not None:
            await self._transfer.stop(PeerGone("it is not wanted any more"))

    def _live(self) -> Transfer:
        """The fetch under way; one that nobody needed for a while has ended, and begins anew."""
        if self._transfer is None or self._transfer.is_over:
            self._transfer = self._begin(self._passing)
        return self._transfer
