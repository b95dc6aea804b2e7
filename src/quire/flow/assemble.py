"""Decode on read: blocks of a protected dataset that cannot be had are computed from K other rows.

    wanted ─► here? ─► in K rows that are here? ─► from a prompt peer? ─► K other rows: read, decode
                              compute at once        the plain way            check, keep, go on

The exchange looks for wanted blocks all the time. Beside it an *assembly* watches what readers and
fetches wait for. What no prompt peer has, it computes: K other rows of those columns are asked for,
data rows first, as whoever reads the whole needs them anyway. What comes first wins.
What was computed is checked against the tree's leaves, kept like what was fetched, and served.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager

from quire.base.clock import Clock
from quire.base.errors import DeadlineExceeded, InputError
from quire.base.events import EventBus
from quire.base.ranges import RangeSet
from quire.base.waits import Waits
from quire.dataset.columns import blocks_of, columns_of, later_rows
from quire.dataset.geometry import Geometry
from quire.flow.assembly import Assembly, AssemblyPorts
from quire.flow.leftovers import Leftovers, Shed
from quire.flow.want import Want
from quire.formats.cid import Cid
from quire.kernels.erasure import check_code
from quire.net.exchange.engine import Exchange
from quire.store.dataset import Dataset
from quire.store.port import BlockStore


class Assembler:
    """The assemblies of one node, one for each tree while somebody wants blocks of it."""

    def __init__(
        self,
        store: BlockStore,
        exchange: Exchange,
        clock: Clock,
        events: EventBus,
        waits: Waits,
        executor: Executor | None = None,
        shed: Shed | None = None,
    ) -> None:
        """`shed` gives up blocks of a tree in the store: what was computed for readers alone goes
        when the last of them ends. None: it is kept like what was fetched."""
        self._store = store
        self._exchange = exchange
        self._ports = AssemblyPorts(store, exchange, clock, events, waits, executor)
        self._assemblies: dict[bytes, Assembly] = {}  # by tree root
        self._leftovers = Leftovers(shed)

    async def ensure(self, dataset: Dataset, start: int, count: int, deadline: float) -> None:
        """Blocks [start, start + count) are readable from the store when this returns.

        As `Exchange.ensure`, for any dataset. Raises besides what that raises
                 MalEncoded  blocks that nobody has do not follow from the rows that there are
        """
        if not is_decodable(dataset):
            await self._exchange.ensure(dataset, start, count, deadline)
            return
        if count == 0 or self._is_here(dataset, start, count):
            return
        async with self._wanting(dataset, start, start + count, deadline) as (assembly, want):
            await want.first_of(self._plain(assembly, want, deadline))

    @asynccontextmanager
    async def helping(self, dataset: Dataset) -> AsyncIterator[Want | None]:
        """For the length of the block, blocks that the fetch of the whole dataset cannot have are
        computed; None when they cannot be."""
        if not is_decodable(dataset):
            yield None
            return
        stop = dataset.manifest.original_block_count
        self._leftovers.keep(dataset.tree_root)
        async with self._wanting(dataset, 0, stop, None) as (assembly, want):
            await assembly.computed_here(want)
            yield want

    @asynccontextmanager
    async def reading(self, dataset: Dataset) -> AsyncIterator[None]:
        """For the length of the block somebody reads the dataset and does not need it later."""
        async with self._leftovers.reading(dataset.tree_root):
            yield

    def gained(self, dataset: Dataset, start: int, count: int) -> int:
        """A number that grows while those who wait for these blocks gain anything, be it rows from
        which they are computed."""
        tree = self._store.tree(dataset.tree_root)
        if tree is None:
            return 0
        if not is_decodable(dataset):
            return tree.present.within(start, start + count).count()
        geometry = Geometry.of(dataset.manifest)
        columns = columns_of(geometry, RangeSet([(start, start + count)]))
        return tree.present.intersect(blocks_of(geometry, columns)).count()

    def beside(
        self, dataset: Dataset, start: int, stop: int, until: int
    ) -> list[tuple[int, int]] | None:
        """While blocks [start, stop) are on their way to whoever reads up to block `until`: other
        blocks to ask for, as the peers that have them have nothing to do with these.

        They are the same columns of later data rows, so that all rows come at once. None: nobody
        has answered yet.
        """
        outlook = self._exchange.outlook(dataset) if is_decodable(dataset) else None
        if outlook is None or not outlook.helpers:
            return None
        free = [
            helper.blocks
            for helper in outlook.helpers
            if helper.is_prompt and not helper.blocks.within(start, stop)
        ]
        return [
            (low, high)
            for low, high in later_rows(Geometry.of(dataset.manifest), start, stop, until)
            if any(blocks.within(low, high) for blocks in free)
        ]

    def explain(self, cid: Cid) -> list[str]:
        """What is being done about blocks of a dataset that cannot be had, in sentences."""
        return [
            sentence
            for assembly in self._assemblies.values()
            if assembly.dataset.manifest_cid == cid
            for sentence in assembly.sentences()
        ]

    async def stop(self) -> None:
        """End what still runs."""
        for assembly in list(self._assemblies.values()):
            await assembly.stop()
        self._assemblies.clear()

    async def _plain(self, assembly: Assembly, want: Want, deadline: float) -> None:
        """Compute what can be from what is here, then have the rest from the network."""
        dataset, start, count = assembly.dataset, want.start, want.stop - want.start
        await assembly.computed_here(want)
        if self._is_here(dataset, start, count):
            return
        try:
            await self._exchange.ensure(dataset, start, count, deadline)
        except DeadlineExceeded as error:
            raise assembly.too_late(want, error) from None

    def _is_here(self, dataset: Dataset, start: int, count: int) -> bool:
        tree = self._store.tree(dataset.tree_root)
        return tree is not None and tree.present.covers(start, start + count)

    @asynccontextmanager
    async def _wanting(
        self, dataset: Dataset, start: int, stop: int, deadline: float | None
    ) -> AsyncIterator[tuple[Assembly, Want]]:
        root = dataset.tree_root
        assembly = self._assemblies.get(root)
        if assembly is None:
            assembly = Assembly(self._ports, dataset, self._leftovers.computed)
            self._assemblies[root] = assembly
        want = assembly.add(start, stop, deadline)
        try:
            yield assembly, want
        finally:
            if assembly.drop(want):
                if self._assemblies.get(root) is assembly:
                    del self._assemblies[root]
                await assembly.stop()


def is_decodable(dataset: Dataset) -> bool:
    """Whether the dataset is protected by a code that this node knows."""
    try:
        check_decodable(dataset)
    except InputError:
        return False
    return True


def check_decodable(dataset: Dataset) -> None:
    """Raise InputError unless `is_decodable`."""
    geometry = Geometry.of(dataset.manifest)
    check_code(geometry.k, geometry.m)
