"""A protected tree that is being made, column after column, durable in steps.

    put, put ... put      coded columns: parity blocks are hashed and written, a few at a time
    finish                everything put is durable
    adopt                 the blocks of the original become leaves of this tree too
    root                  now it is known
    publish | close       a dataset with a name, or something to go on with later

Parity enters the index in steps of about 64 MiB of columns, with the slot digests of all rows, so
that after a crash the next column is the one after the last step. Nothing is visible before
`publish`; what is never published is taken apart as an upload would be.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from quire.base.errors import Busy, NotFound, QuireError
from quire.base.invariant import invariant
from quire.base.units import MIB
from quire.dataset.geometry import Geometry
from quire.formats.cid import manifest_cid
from quire.store.adoption import adopt, source_tree
from quire.store.columns import Columns, WrittenColumns, enter
from quire.store.committer import Change
from quire.store.core import Core
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.meta import Tables
from quire.store.naming import Published, enlist, name_tree, tell
from quire.store.protections import ProtectionRow
from quire.store.quota import Reservation
from quire.store.segment import LeafBatch, Segment, SegmentWriter, is_in
from quire.store.shape import DIGEST_BYTES, PAGE_LEAVES, root_of_pages
from quire.store.trees import STAGING

STEP_BYTES = 64 * MIB  # of columns that enter the index together, roughly
STEP_BYTES_A_ROW = MIB  # of parity: each row that is marked costs a page
WRITES_IN_FLIGHT = 2
ADOPTED_PAGES = 2  # that one transaction takes over


class UnknownProtection(NotFound):
    """It was cancelled, or its time was up."""

    code = "unknown-protection"
    hint = "protect the dataset again"


class ProtectedTree:
    """Not to be used by two tasks at once. After an error only `close` makes sense."""

    def __init__(
        self,
        core: Core,
        writer: SegmentWriter,
        row: ProtectionRow,
        geometry: Geometry,
        lifetime_seconds: float,
        closed: Callable[[ProtectedTree], None],
    ) -> None:
        invariant(row.tree_id is not None, "a protection that is complete is not opened")
        self.row = row
        self.geometry = geometry
        self.steps = row.steps  # columns that are durable
        self._core = core
        self._writer = writer
        self._tree_id = row.tree_id or 0
        self._lifetime_seconds = lifetime_seconds
        self._closed = closed
        self._reservation = Reservation(core.quota)
        self._batch = LeafBatch(geometry.block_size)
        self._written: list[WrittenColumns] = []
        self._flying: deque[tuple[WrittenColumns, asyncio.Task[Segment]]] = deque()
        self._staging: tuple[LeafBatch, int, asyncio.Future[None]] | None = None
        self._publishing: asyncio.Future[Published] | None = None
        self._is_over = False
        self._is_broken = False  # columns are lost, and those behind them cannot enter the index

    def reserve(self, more_bytes: int) -> None:
        """Hold the space for the parity that is not durable yet, and more. Raises QuotaExceeded."""
        left = (self.geometry.steps - self.steps) * self.geometry.m
        self._reservation.cover(left * self.geometry.block_size + more_bytes)

    async def put(self, columns: Columns) -> None:
        """Take the next columns; waits while too much is on its way to the disk.

        Raises DiskFull, UnknownProtection, Busy."""
        while len(self._flying) >= WRITES_IN_FLIGHT:
            await self._land()
        writing = asyncio.get_running_loop().create_task(self._write(columns), name="parity write")
        self._flying.append((WrittenColumns.of(columns), writing))

    async def finish(self) -> None:
        """Everything put is durable."""
        await self._settle_written()
        invariant(self.steps == self.geometry.steps, "a protected tree lacks columns")

    async def adopt(self, source_root: bytes) -> None:
        """Every block of the original becomes a leaf of this tree, and pads are marked.

        Raises BlockMissing when some are not here; those before them are taken all the same."""
        at = (await self._found()).adopted
        while at < self.geometry.original_blocks:
            at = await self._core.committer.run(self._adoption(source_root, at))

    async def root(self) -> bytes:
        """The root of the tree, noted so that what is made for it can be found again."""

        def apply(tables: Tables) -> bytes:
            self._check(tables)
            nodes = tables.trees.page_nodes(self._tree_id)
            invariant(
                len(nodes) == -(-self.geometry.total // PAGE_LEAVES), "a protected tree lacks pages"
            )
            root = root_of_pages([nodes[number] for number in range(len(nodes))])
            tables.protections.set_root(self.row.id, root)
            return root

        return await self._core.committer.run(Change(apply))

    async def slot_digests(self, slot: int) -> bytes:
        """Poseidon2 digests of the blocks of a slot, pads included, 32 bytes each."""
        digests = self._core.meta.reading.protections.digests
        found = await self._core.off_loop(digests, self.row.id, slot)
        if len(found) != self.geometry.steps * DIGEST_BYTES:
            raise _removed(self.row)
        return found

    async def publish(self, manifest_bytes: bytes, root: bytes, keep: RetentionRoot) -> Dataset:
        """The tree gets its name and the dataset its row, in one transaction."""
        digest = manifest_cid(manifest_bytes).digest

        def apply(tables: Tables) -> Published:
            self._check(tables)
            naming = name_tree(tables, self._tree_id, root, self.geometry.total)
            now = self._core.clock.now()
            published = enlist(tables, (manifest_bytes, digest), keep, naming, now)
            tables.protections.complete(self.row.id, digest)
            return published

        def done(published: Published) -> None:
            self._settle()
            tell(self._core, published)

        self._publishing = self._core.committer.hand_in(Change(apply, done=done))
        await asyncio.wait([self._publishing])  # whoever waits may be cancelled, this not
        return self._publishing.result().dataset

    async def close(self) -> None:
        """Keep what was written, as far as it can be; at least what is durable stays."""
        if self._publishing is not None:
            await asyncio.wait([self._publishing])
        if self._is_over:
            return
        with suppress(QuireError):
            if not self._is_broken:
                await self._settle_written()
        for _, task in self._flying:
            await asyncio.wait([task])
            if not task.cancelled() and task.exception() is None:
                self._batch.add(task.result())
        self._flying.clear()
        with suppress(QuireError):
            await self._finish_staging()
        await self._core.off_loop(self._give_back)
        self._settle()

    # ---- inside ----

    async def _write(self, columns: Columns) -> Segment:
        staging = () if self._staging is None else (self._staging[0],)
        return await self._core.off_loop(
            self._writer.write,
            columns.parity,
            columns.digests,
            self.geometry.block_size,
            is_in(self._batch, *staging),
        )

    async def _settle_written(self) -> None:
        """Everything put enters the index."""
        while self._flying:
            await self._land()
        await self._finish_staging()
        self._stage()
        await self._finish_staging()

    async def _land(self) -> None:
        """Wait for the oldest write; let what has piled up enter the index when it is much."""
        written, task = self._flying[0]
        await asyncio.wait([task])
        self._flying.popleft()
        self._is_broken = self._is_broken or task.cancelled() or task.exception() is not None
        self._batch.add(task.result())
        self._written.append(written)
        if len(self._batch) * self.geometry.block_size >= _step_bytes(self.geometry):
            await self._finish_staging()
            self._stage()

    def _stage(self) -> None:
        if not self._written:
            return
        batch, written = self._batch, self._written
        steps = written[-1].first + written[-1].count
        self._batch, self._written = LeafBatch(self.geometry.block_size), []

        def apply(tables: Tables) -> None:
            row = self._check(tables)
            invariant(row.steps == written[0].first, "columns enter the index in order")
            enter(tables, (row.id, self._tree_id), self.geometry, batch, written)
            tables.protections.advance(row.id, steps, self._expiry())

        def done(_: None) -> None:
            self._core.pins.unpin(batch.pinned)
            self._core.packs.settle(batch.extents)

        change = Change(apply, batch.packs, weight=len(batch) + 1, done=done)
        future = self._core.committer.hand_in(change)
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # it is seen
        self._staging = (batch, steps, future)

    async def _finish_staging(self) -> None:
        """Wait for the last step into the index. Raises what went wrong with it."""
        if self._staging is None:
            return
        batch, steps, future = self._staging
        await asyncio.wait([future])
        self._staging = None
        if future.exception() is not None:
            self._is_broken = True
            self._batch.extents.extend(batch.extents)
            self._batch.pinned.extend(batch.pinned)
        future.result()
        self.steps = steps
        self._reservation.release(len(batch) * self.geometry.block_size)

    def _adoption(self, source_root: bytes, start: int) -> Change[int]:
        """Some pages of original leaves from `start` on; the outcome is where to go on."""
        stop = min(start + ADOPTED_PAGES * PAGE_LEAVES, self.geometry.original_blocks)

        def apply(tables: Tables) -> int:
            self._check(tables)
            source = source_tree(self._core, tables, source_root)
            adopt(tables, self._tree_id, self.geometry, source, start, stop)
            tables.protections.adopt(self.row.id, stop, self._expiry())
            return stop

        return Change(apply, weight=stop - start)

    def _check(self, tables: Tables) -> ProtectionRow:
        """The row as it is now. Raises UnknownProtection, Busy."""
        row = tables.protections.by_id(self.row.id)
        tree = tables.trees.by_id(self._tree_id)
        if row is None or row.tree_id != self._tree_id or tree is None or tree.state != STAGING:
            raise _removed(self.row)
        if tree.present_count < 0:
            raise Busy("a block that was written went bad on the disk; protect the dataset again")
        return row

    async def _found(self) -> ProtectionRow:
        row = await self._core.off_loop(self._core.meta.reading.protections.by_id, self.row.id)
        if row is None:
            raise _removed(self.row)
        return row

    def _expiry(self) -> float:
        return self._core.clock.now() + self._lifetime_seconds

    def _give_back(self) -> None:
        self._core.pins.unpin(self._batch.pinned)
        self._core.packs.discard(self._batch.extents)

    def _settle(self) -> None:
        self._is_over = True
        self._reservation.end()
        self._closed(self)


def _step_bytes(geometry: Geometry) -> int:
    """Parity that enters the index together."""
    share = STEP_BYTES * geometry.m // geometry.slots
    return max(share, STEP_BYTES_A_ROW * geometry.m)


def _removed(row: ProtectionRow) -> UnknownProtection:
    return UnknownProtection(
        f"the protection {row.k} + {row.m} was cancelled, or not gone on with in time"
    )
