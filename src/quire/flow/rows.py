"""Where rows of a protected dataset are read from, and how each of them stands.

StoredRows    through the store: what comes from the network is kept here
BorrowedRows  from the store if it is here, else past it: nothing more is kept
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from quire.base.errors import BlockMissing
from quire.base.ranges import RangeSet
from quire.dataset.geometry import Geometry
from quire.dataset.row_choice import RowState
from quire.net.exchange.borrow import Borrow
from quire.net.exchange.engine import Exchange
from quire.net.exchange.explain import Explanation
from quire.net.exchange.outlook import Outlook
from quire.store.dataset import Dataset
from quire.store.port import BlockStore

PEERS_TOLD = 16  # in an error
READ_ATTEMPTS = 3  # a block that turns out bad counts as missing and is got again


class RowSource(Protocol):
    """Rows of one dataset. Columns [first, stop)."""

    geometry: Geometry

    def states(self, first: int, stop: int) -> dict[int, RowState]:
        """How every row stands in these columns."""

    def speed(self, row: int, first: int, stop: int) -> float | None:
        """Bytes a second that the row may be expected with, None when not known."""

    async def get(self, row: int, first: int, stop: int, deadline: float) -> bytes:
        """Blocks of the row, padding as zeros. Raises DeadlineExceeded, BlockMissing."""

    def changed(self) -> asyncio.Future[None] | None:
        """Done when states may have changed; None when nothing is under way."""

    def next_late_at(self) -> float | None:
        """When a row may become late, in monotonic seconds."""

    def asked(self) -> str:
        """The peers that were asked, with what each said last."""


class StoredRows:
    """Rows that are kept here once they came."""

    def __init__(self, store: BlockStore, exchange: Exchange, dataset: Dataset) -> None:
        self.geometry = Geometry.of(dataset.manifest)
        self._store = store
        self._exchange = exchange
        self._dataset = dataset

    def states(self, first: int, stop: int) -> dict[int, RowState]:
        outlook = self._exchange.outlook(self._dataset)
        return row_states(self.geometry, self._present(), outlook, first, stop)

    def speed(self, row: int, first: int, stop: int) -> float | None:
        return _speed(self.geometry, self._exchange.outlook(self._dataset), row, first, stop)

    async def get(self, row: int, first: int, stop: int, deadline: float) -> bytes:
        start, count = self.geometry.index(row, first), stop - first
        for _ in range(READ_ATTEMPTS - 1):
            await self._exchange.ensure(self._dataset, start, count, deadline)
            try:
                return await self._store.read_range(self._dataset.tree_root, start, count)
            except BlockMissing:
                continue
        await self._exchange.ensure(self._dataset, start, count, deadline)
        return await self._store.read_range(self._dataset.tree_root, start, count)

    def changed(self) -> asyncio.Future[None] | None:
        return self._exchange.changed(self._dataset)

    def next_late_at(self) -> float | None:
        outlook = self._exchange.outlook(self._dataset)
        return None if outlook is None else outlook.next_late_at

    def asked(self) -> str:
        return _tell_peers(self._exchange.explain(self._dataset.manifest_cid))

    def _present(self) -> RangeSet:
        tree = self._store.tree(self._dataset.tree_root)
        return RangeSet() if tree is None else tree.present


class BorrowedRows:
    """Rows that are read once and not kept. Counts what came from where, in blocks."""

    def __init__(self, store: BlockStore, borrow: Borrow, dataset: Dataset) -> None:
        self.geometry = Geometry.of(dataset.manifest)
        self.local_blocks = 0
        self._store = store
        self._borrow = borrow
        self._root = dataset.tree_root

    @property
    def remote_blocks(self) -> int:
        return self._borrow.received_blocks

    def states(self, first: int, stop: int) -> dict[int, RowState]:
        return row_states(self.geometry, self._present(), self._borrow.outlook(), first, stop)

    def speed(self, row: int, first: int, stop: int) -> float | None:
        return _speed(self.geometry, self._borrow.outlook(), row, first, stop)

    async def get(self, row: int, first: int, stop: int, deadline: float) -> bytes:
        geometry = self.geometry
        real = max(first, min(stop, geometry.stored_blocks(row)))  # the rest is padding
        data = b"" if real == first else await self._read(row, first, real, deadline)
        return data + bytes((stop - real) * geometry.block_size)

    def changed(self) -> asyncio.Future[None] | None:
        return self._borrow.changed()

    def next_late_at(self) -> float | None:
        return self._borrow.outlook().next_late_at

    def asked(self) -> str:
        return _tell_peers(self._borrow.explain())

    async def _read(self, row: int, first: int, stop: int, deadline: float) -> bytes:
        """Runs that are here and runs that are not, in order."""
        start, count = self.geometry.index(row, first), stop - first
        here = self._present().within(start, start + count)
        parts: list[bytes] = []
        at = start
        for low, high in here:
            if at < low:
                parts.append(await self._borrow.read(at, low - at, deadline))
            parts.append(await self._local(low, high, deadline))
            at = high
        if at < start + count:
            parts.append(await self._borrow.read(at, start + count - at, deadline))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _local(self, start: int, stop: int, deadline: float) -> bytes:
        try:
            data = await self._store.read_range(self._root, start, stop - start)
        except BlockMissing:
            return await self._borrow.read(start, stop - start, deadline)
        self.local_blocks += stop - start
        return data

    def _present(self) -> RangeSet:
        tree = self._store.tree(self._root)
        return RangeSet() if tree is None else tree.present


def row_states(
    geometry: Geometry, present: RangeSet, outlook: Outlook | None, first: int, stop: int
) -> dict[int, RowState]:
    """How every row stands in columns [first, stop)."""
    return {
        row: _state(geometry, present, outlook, row, first, stop) for row in range(geometry.slots)
    }


def _state(
    geometry: Geometry,
    present: RangeSet,
    outlook: Outlook | None,
    row: int,
    first: int,
    stop: int,
) -> RowState:
    start = geometry.index(row, first)
    end = start + min(stop, geometry.stored_blocks(row)) - first
    if end <= start or present.covers(start, end):
        return RowState.HERE
    if outlook is None:
        return RowState.UNKNOWN
    missing = RangeSet([(start, end)]).minus(present.within(start, end))
    if all(outlook.prompt.covers(low, high) for low, high in missing):
        return RowState.READY
    if all(outlook.held.covers(low, high) for low, high in missing):
        return RowState.LATE
    return RowState.NOWHERE if outlook.is_settled else RowState.UNKNOWN


def _speed(
    geometry: Geometry, outlook: Outlook | None, row: int, first: int, stop: int
) -> float | None:
    start = geometry.index(row, first)
    return None if outlook is None else outlook.speed(start, start + stop - first)


def _tell_peers(state: Explanation | None) -> str:
    peers = [] if state is None else state.peers
    told = [f"{peer.peer} ({peer.last_answer})" for peer in peers[:PEERS_TOLD]]
    more = [f"{len(peers) - PEERS_TOLD} more"] if len(peers) > PEERS_TOLD else []
    return ", ".join(told + more) or "no peers"
