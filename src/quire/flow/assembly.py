"""What is computed for those who want blocks of one protected dataset. Begin with `assemble.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from quire.base.clock import Clock
from quire.base.errors import (
    BlockMissing,
    Bug,
    DeadlineExceeded,
    NotFound,
    PeerError,
    QuireError,
)
from quire.base.events import EventBus
from quire.base.ranges import RangeSet
from quire.base.units import MIB
from quire.base.waits import Waits
from quire.dataset.columns import ColumnBatch, batch_columns, blocks_of, column_batches
from quire.dataset.geometry import Geometry
from quire.dataset.row_choice import can_reach
from quire.dataset.trouble import Peers, Trouble, find_trouble, name_rows, tell_rows
from quire.flow.decode import MalEncoded, compute_rows, keep_row
from quire.flow.gather import POLL_SECONDS, gather_rows
from quire.flow.rows import StoredRows
from quire.flow.want import Want
from quire.net.exchange.engine import Exchange
from quire.store.dataset import Dataset
from quire.store.port import BlockStore

BATCH_BYTES = 4 * MIB  # K rows of a batch; a single column may be more
BATCHES = 4  # at a time
STALL_SECONDS = 3600.0  # for a batch of a want without deadline
AGAIN_SECONDS = 1.0  # after a batch that failed
STEP_SECONDS = 0.02  # between two looks at what is missing


@dataclass(frozen=True, slots=True)
class AssemblyPorts:
    """What every assembly of a node works with. `executor` decodes; None is the loop's own."""

    store: BlockStore
    exchange: Exchange
    clock: Clock
    events: EventBus
    waits: Waits
    executor: Executor | None


class Assembly:
    """Watches wants of one dataset and computes what cannot be had."""

    def __init__(
        self,
        ports: AssemblyPorts,
        dataset: Dataset,
        on_computed: Callable[[bytes, int, int], None],
    ) -> None:
        """`on_computed` is told tree root, start and stop of what was computed and kept."""
        self.dataset = dataset
        self.computed_blocks = 0
        self._ports = ports
        self._on_computed = on_computed
        self._geometry = Geometry.of(dataset.manifest)
        self._rows = StoredRows(ports.store, ports.exchange, dataset)
        self._wants: dict[Want, None] = {}
        self._batches: dict[asyncio.Task[None], ColumnBatch] = {}
        self._stuck: ColumnBatch | None = None  # for which too few rows are to be had
        self._bad: dict[int, MalEncoded] = {}  # by column
        self._problem = ""  # of the last batch that failed
        self._pause_until = 0.0
        self._told = ""
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # ---- wants ----

    def add(self, start: int, stop: int, deadline: float | None) -> Want:
        loop = asyncio.get_running_loop()
        want = Want(start, stop, deadline, loop.create_future())
        self._wants[want] = None
        self._changed.set()
        if self._task is None:
            self._task = loop.create_task(self._run())
        return want

    def drop(self, want: Want) -> bool:
        """Nobody waits for it any more. Whether it was the last."""
        del self._wants[want]
        if want.failed.done():
            want.failed.exception()  # seen
        self._changed.set()
        return not self._wants

    async def computed_here(self, want: Want) -> None:
        """Wait until what follows from rows that are here is computed, as far as it can be."""
        while self._pause_until <= self._ports.clock.monotonic():
            batches = self._start(want, self._trouble(want).computable)
            mine = batches or [t for t, b in self._batches.items() if self._serves(b, want)]
            if not mine:
                return
            await asyncio.wait(mine, return_when=asyncio.FIRST_COMPLETED)

    async def stop(self) -> None:
        """End what still runs."""
        tasks = [*self._batches, *([] if self._task is None else [self._task])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- insight ----

    def sentences(self) -> list[str]:
        """What is being done, and why; the first tells most."""
        batches = list(self._batches.values())[:1] or ([self._stuck] if self._stuck else [])
        told = [self._tell(batch) for batch in batches]
        if self.computed_blocks:
            told.append(f"{self.computed_blocks} blocks were computed from other rows")
        return told + ([self._problem] if self._problem else [])

    def too_late(self, want: Want, error: DeadlineExceeded) -> QuireError:
        """Why the blocks did not come in time."""
        bad = self._bad_blocks(want)
        if bad:
            return self._bad[self._geometry.position(next(iter(bad))[0])[1]]
        told = [f"computing them failed: {self._problem}"] if self._problem else []
        if self._stuck is not None:
            told.append(f"{self._tell(self._stuck)}; asked were {self._rows.asked()}")
        return DeadlineExceeded(": ".join([*told, error.message]), **error.facts)

    def _tell(self, batch: ColumnBatch) -> str:
        return tell_rows(self._geometry.k, self._rows.states(batch.first, batch.stop), batch.rows)

    # ---- inside ----

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            self._step()
            await self._pause()

    def _step(self) -> None:
        """Begin what should be computed now, and end what need not be any more."""
        for task, batch in self._batches.items():
            if not any(self._serves(batch, want) for want in self._wants):
                task.cancel()
        self._stuck = None
        if self._pause_until > self._ports.clock.monotonic():
            return
        for want in self._wants:
            trouble = self._trouble(want)
            for start, _ in trouble.nowhere.intersect(self._bad_blocks(want)):
                want.fail(self._bad[self._geometry.position(start)[1]])
            self._start(want, trouble.blocks())

    def _start(self, want: Want, blocks: RangeSet) -> list[asyncio.Task[None]]:
        """Begin batches for blocks that a want lacks, as many as there is room for."""
        blocks = blocks.minus(self._bad_blocks(want))
        busy = RangeSet((batch.first, batch.stop) for batch in self._batches.values())
        most = batch_columns(self._geometry, BATCH_BYTES)
        begun = []
        for batch in column_batches(self._geometry, blocks, most):
            if len(self._batches) >= BATCHES:
                break
            if busy.within(batch.first, batch.stop):
                continue  # when that one has ended, what is left is seen again
            states = self._rows.states(batch.first, batch.stop)
            others = {row: state for row, state in states.items() if row not in batch.rows}
            if not can_reach(self._geometry.k, others):
                self._stuck = self._stuck or batch
                continue
            task = asyncio.get_running_loop().create_task(self._compute(batch, want.deadline))
            self._batches[task] = batch
            task.add_done_callback(self._ended)
            busy.add(batch.first, batch.stop)
            begun.append(task)
            self._tell_once(tell_rows(self._geometry.k, states, batch.rows))
        return begun

    async def _compute(self, batch: ColumnBatch, deadline: float | None) -> None:
        """Read K rows, compute those that are missing, check them, keep them, serve them."""
        ports, dataset, geometry = self._ports, self.dataset, self._geometry
        if deadline is None:
            deadline = ports.clock.monotonic() + STALL_SECONDS
        with ports.waits.waiting(str(dataset.manifest_cid), self._tell(batch), deadline):
            await self._know_leaves(batch, deadline)
            rows = await gather_rows(
                self._rows,
                batch.first,
                batch.stop,
                without=batch.rows,
                preferred=geometry.k,
                deadline=deadline,
            )
        used = name_rows(sorted(rows))
        computed = await compute_rows(geometry, rows, batch.rows, ports.executor)
        del rows
        kept: list[tuple[int, int]] = []
        for row, data in zip(batch.rows, computed, strict=True):
            kept += await keep_row(ports.store, dataset, row, batch, data, used)
        await ports.store.flush()
        for start, stop in kept:
            self.computed_blocks += stop - start
            self._on_computed(dataset.tree_root, start, stop)
            ports.exchange.arrived(dataset, start, stop)

    async def _know_leaves(self, batch: ColumnBatch, deadline: float) -> None:
        """Have the digests by which the results are checked."""
        root = self.dataset.tree_root
        try:
            for row in batch.rows:
                start = self._geometry.index(row, batch.first)
                await self._ports.store.read_leaves(root, start, batch.count)
        except BlockMissing:
            await self._ports.exchange.fetch_leaves(self.dataset, deadline)

    def _ended(self, task: asyncio.Task[None]) -> None:
        batch = self._batches.pop(task)
        self._changed.set()
        if task.cancelled():
            return
        problem = task.exception()
        if problem is None:
            self._problem = ""
        elif isinstance(problem, MalEncoded):
            column = problem.facts.get("column")
            self._bad[column if isinstance(column, int) else batch.first] = problem
        elif isinstance(problem, NotFound | DeadlineExceeded | PeerError):
            self._problem = problem.message
            self._pause_until = self._ports.clock.monotonic() + AGAIN_SECONDS
        else:
            if not isinstance(problem, QuireError):
                problem = Bug(
                    f"computing blocks of {self.dataset.manifest_cid} failed: {problem!r}"
                )
            for want in self._wants:
                want.fail(problem)

    def _trouble(self, want: Want) -> Trouble:
        outlook = self._ports.exchange.outlook(self.dataset)
        peers = None
        if outlook is not None:
            is_urgent = want.deadline is None or want is self._first_reader()
            quick = outlook.prompt if is_urgent else outlook.awake
            peers = Peers(outlook.held, quick, outlook.is_settled, outlook.done)
        return find_trouble(
            self._geometry,
            want.start,
            want.stop,
            self._present(),
            peers,
            waits_for_each=want.deadline is not None,
        )

    def _first_reader(self) -> Want | None:
        """The oldest that lacks anything. What the others wait for is in no hurry: it is computed
        when its peers rest, not as soon as they are late."""
        present = self._present()
        readers = (want for want in self._wants if want.deadline is not None)
        return next((w for w in readers if not present.covers(w.start, w.stop)), None)

    def _bad_blocks(self, want: Want) -> RangeSet:
        """Missing blocks of a want that do not follow from other rows."""
        if not self._bad:
            return RangeSet()
        bad = blocks_of(self._geometry, RangeSet((at, at + 1) for at in self._bad))
        return bad.within(want.start, want.stop).minus(self._present())

    def _serves(self, batch: ColumnBatch, want: Want) -> bool:
        """Whether a want still lacks a block that the batch computes."""
        missing = RangeSet([(want.start, want.stop)]).minus(self._present())
        starts = [self._geometry.index(row, batch.first) for row in batch.rows]
        return any(missing.within(start, start + batch.count) for start in starts)

    def _present(self) -> RangeSet:
        tree = self._ports.store.tree(self.dataset.tree_root)
        return RangeSet() if tree is None else tree.present

    def _tell_once(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self._ports.events.publish("dataset.decoding", str(self.dataset.manifest_cid), text)

    async def _pause(self) -> None:
        """Until something may have changed, not too often."""
        exchange, loop = self._ports.exchange, asyncio.get_running_loop()
        await asyncio.sleep(STEP_SECONDS)
        outlook, changed = exchange.outlook(self.dataset), exchange.changed(self.dataset)
        late_at = None if outlook is None else outlook.next_late_at
        seconds = POLL_SECONDS if late_at is None else late_at - self._ports.clock.monotonic()
        woken = loop.create_task(self._changed.wait())
        waited: list[asyncio.Future[Any]] = [woken, *([] if changed is None else [changed])]
        try:
            await asyncio.wait(
                waited,
                timeout=min(POLL_SECONDS, max(0.0, seconds)),
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            woken.cancel()
