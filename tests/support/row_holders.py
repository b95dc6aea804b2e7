"""Exchange nodes that each hold some rows of a protected dataset, and one that reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from quire.base.ranges import RangeSet
from quire.flow.assemble import Assembler
from quire.flow.download import Downloads
from quire.flow.fetch import Fetches
from quire.formats.exchange import (
    ExchangeMessage,
    HaveReply,
    HaveRequest,
    RangeRequest,
    Status,
)
from quire.net.exchange.limits import ExchangeLimits
from quire.store.dataset import Dataset
from support.exchange_nodes import QUICK, Node, Request, World, answering, world
from support.memory_store import MemoryStore
from support.protected import Protected

Reply = list[ExchangeMessage] | bytes | None


@dataclass
class Readers:
    """A world with holders of rows and a reader that knows them all."""

    world: World
    made: Protected
    holders: list[Node]
    reader: Node
    dataset: Dataset
    assembler: Assembler
    downloads: Downloads
    fetches: Fetches

    async def stranger(self, row: int, answer: Callable[[RangeRequest], Reply]) -> str:
        """A peer that says that it holds a row and answers for it as it likes; its name."""
        made, name = self.made, f"stranger-{row}"
        leaves = made.geometry.row_range(row)
        present = RangeSet([(leaves.start, leaves.stop)])

        def behave(request: Request) -> Reply:
            if isinstance(request, HaveRequest):
                size = made.geometry.block_size
                return [HaveReply(request.id, Status.OK, made.geometry.total, present, size)]
            if isinstance(request, RangeRequest):
                return answer(request)
            return None

        stranger = await self.world.stranger(name, answering(behave))
        await self.world.connect(self.reader, stranger)
        return stranger.peer_id

    async def leave(self, holder: Node) -> None:
        """A holder goes without a word."""
        await holder.exchange.stop()
        await holder.transport.stop(0.0)

    async def read(self, *, offset: int = 0, length: int | None = None, idle: float = 5.0) -> bytes:
        chunks = self.downloads.read(self.dataset, offset=offset, length=length, idle_seconds=idle)
        return b"".join([bytes(chunk) async for chunk in chunks])

    def received_blocks(self) -> int:
        """What the reader took from all others."""
        accounts = [self.reader.exchange.ledger.of(node.peer) for node in self.holders]
        return sum(each.received_bytes for each in accounts) // self.made.geometry.block_size


def hold_rows(store: MemoryStore, made: Protected, rows: Sequence[int]) -> Dataset:
    """The store holds these rows, and knows the whole tree."""
    present = RangeSet((r.start, r.stop) for r in map(made.geometry.row_range, rows))
    return store.add_protected(made.manifest, made.nodes, made.blocks, present)


@asynccontextmanager
async def readers(
    made: Protected, rows: Sequence[Sequence[int]], limits: ExchangeLimits = QUICK
) -> AsyncIterator[Readers]:
    """`rows`: those of each holder."""
    async with world() as it:
        holders = []
        for number, held in enumerate(rows):
            holder = await it.node(f"holder-{number}", limits)
            hold_rows(holder.store, made, held)
            holders.append(holder)
        reader = await it.node("reader", limits)
        dataset = reader.store.register(made.manifest)
        await it.connect(reader, *holders)
        assembler = Assembler(reader.store, reader.exchange, it.clock, reader.events, reader.waits)
        downloads = Downloads(reader.store, assembler, it.clock)
        fetches = Fetches(
            reader.store,  # type: ignore[arg-type]
            reader.exchange,
            assembler,
            reader.events,
            it.clock,
            idle_seconds=1.0,
        )
        try:
            yield Readers(it, made, holders, reader, dataset, assembler, downloads, fetches)
        finally:
            await fetches.stop()
            await assembler.stop()
