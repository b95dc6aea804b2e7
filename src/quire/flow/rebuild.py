"""Stage 7: slots that nobody holds any more are computed anew and held here.

    searching -> listing -> rebuilding -> hashing -> complete
        `----------- failed | cancelled ------------'

K rows are read once, whatever the number of lost ones: from the store what is here, the rest past
it, so that a node that rebuilds one slot keeps one slot. Each block that results is checked against
the tree's leaves, and each slot is then taken like any other (`slots.py`): hashed, its root
checked, held and announced. What was computed is durable block by block: asking again after a
failure or a crash goes on from there.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Executor

from quire.base.clock import Clock
from quire.base.errors import Busy, InputError, PeerError, QuireError
from quire.base.events import EventBus
from quire.base.ranges import RangeSet
from quire.base.spans import span
from quire.base.units import MIB
from quire.dataset.columns import ColumnBatch, batch_columns, column_batches
from quire.dataset.geometry import Geometry
from quire.dataset.trouble import name_rows
from quire.flow.decode import compute_rows, keep_row
from quire.flow.fetch import Fetches, check_manifest_cid
from quire.flow.gather import gather_rows
from quire.flow.rebuild_job import RebuildJob, check_rebuild
from quire.flow.remembered import forget_old
from quire.flow.rows import BorrowedRows
from quire.flow.slot_state import unfinished_name
from quire.flow.slots import UNFINISHED_SECONDS, SlotHolds
from quire.formats.cid import Cid
from quire.net.exchange.engine import Exchange
from quire.net.exchange.estimate import RateMeter
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.store import Store

KEPT_JOBS = 256  # ended jobs that can still be asked about
BATCH_BYTES = 4 * MIB  # K rows of a batch; a single column may be more
BATCHES = 4  # on their way at a time
NEWS_SECONDS = 1.0  # between two events of progress
SPARE_SECONDS = 3600.0  # that slots which were computed for others can be fetched here


class Rebuilds:
    """All rebuilding of one node. One job for each dataset and slot."""

    def __init__(
        self,
        store: Store,
        exchange: Exchange,
        fetches: Fetches,
        holds: SlotHolds,
        events: EventBus,
        clock: Clock,
        *,
        idle_seconds: float = 600.0,
        executor: Executor | None = None,
    ) -> None:
        self._store = store
        self._exchange = exchange
        self._fetches = fetches
        self._holds = holds
        self._events = events
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._executor = executor
        self._jobs: OrderedDict[tuple[bytes, tuple[int, ...]], RebuildJob] = OrderedDict()
        self._is_closing = False

    async def start(
        self,
        cid: Cid,
        slots: Sequence[int],
        timeout_seconds: float,
        *,
        until: float | None = None,
        spare: Sequence[int] = (),
    ) -> RebuildJob:
        """Begin to rebuild slots, all in one pass, or join the job that does so already.

        timeout_seconds  for the manifest and for the list of leaves
        spare            more slots, for others to fetch: they are held for a short time
        Raises   NotAManifest  the CID names something else
                 InputError    no slots, the same twice, or slots that cannot be rebuilt together
                 Busy          one of the slots is being rebuilt with others; the node is stopping
        """
        check_manifest_cid(cid)
        wanted = tuple(sorted((*slots, *spare)))
        if not wanted or len(set(wanted)) != len(wanted):
            raise InputError("name the slots to be rebuilt, each once")
        local = await self._store.dataset(cid)
        if local is not None:
            check_rebuild(local, wanted)
        if self._is_closing:
            raise Busy("the node is stopping; ask it again when it is back")
        for job in self._jobs.values():
            if job.has_ended or job.cid != cid:
                continue
            if job.slots == wanted:
                return job
            if shared := [slot for slot in job.slots if slot in wanted]:
                raise Busy(f"{name_rows(shared)} of {cid} is being rebuilt; wait for that")
        job = RebuildJob(cid, wanted, self._clock.now(), RateMeter(self._clock.monotonic()), until)
        job.spare = tuple(spare)
        return self._begin(job, timeout_seconds)

    def of(self, cid: Cid, slot: int) -> RebuildJob | None:
        """The newest job for a slot, ended or not."""
        found = [job for job in self._jobs.values() if job.cid == cid and slot in job.slots]
        return found[-1] if found else None

    def all(self) -> list[RebuildJob]:
        """Jobs that are remembered, oldest first."""
        return list(self._jobs.values())

    async def cancel(self, job: RebuildJob) -> bool:
        """Stop a job; blocks that it computed stay for a day. Whether it was running."""
        if job.has_ended or job.task is None:
            return False
        job.task.cancel()
        await asyncio.wait([job.task])
        return True

    async def stop(self) -> None:
        """Cancel every job."""
        self._is_closing = True
        for job in self.all():
            await self.cancel(job)

    # ---- inside ----

    def _begin(self, job: RebuildJob, timeout_seconds: float) -> RebuildJob:
        cid, slots = job.cid, job.slots
        self._jobs[cid.digest, slots] = job
        self._jobs.move_to_end((cid.digest, slots))
        work = self._run(job, timeout_seconds)
        job.task = asyncio.get_running_loop().create_task(work, name=f"rebuild {slots} of {cid}")
        job.task.add_done_callback(lambda _: job.note_end())
        forget_old(self._jobs, KEPT_JOBS)
        return job

    async def _run(self, job: RebuildJob, timeout_seconds: float) -> None:
        told = f"slot{'s' if len(job.slots) > 1 else ''} {', '.join(map(str, job.slots))}"
        self._tell(job, "rebuild.started", f"{told}: looking for the manifest")
        try:
            dataset = await self._fetches.manifest(job.cid, timeout_seconds)
            check_rebuild(dataset, job.slots)
            job.dataset = dataset
            until = self._clock.now() + UNFINISHED_SECONDS
            for slot in job.slots:
                root = RetentionRoot("cache", unfinished_name(slot), until)
                await self._store.retain(job.cid, root)
            with (
                self._store.holding(dataset.tree_root),
                span("rebuild", cid=job.cid, slots=len(job.slots)),
            ):
                await self._rebuild(job, dataset, timeout_seconds)
                await self._hold(job, timeout_seconds)
            job.state, job.reason = "complete", "every block and every slot root is checked"
            self._tell(job, "rebuild.complete", f"{told}: rebuilt and held")
        except QuireError as error:
            job.state, job.error, job.reason = "failed", error, error.message
            self._tell(job, "rebuild.failed", error.message)
        except asyncio.CancelledError:
            job.state, job.reason = "cancelled", "stopped on request"
            self._tell(job, "rebuild.cancelled", f"{told}: stopped on request")
            raise

    async def _rebuild(self, job: RebuildJob, dataset: Dataset, timeout_seconds: float) -> None:
        """Compute every block of the slots that is not here."""
        job.state, job.reason = "listing", "getting the list of leaves"
        await self._exchange.fetch_leaves(dataset, self._clock.monotonic() + timeout_seconds)
        job.state, job.reason = "rebuilding", "looking for holders of the other rows"
        geometry = Geometry.of(dataset.manifest)
        wanted = RangeSet(
            (leaves.start, leaves.start + geometry.stored_blocks(slot))
            for slot in job.slots
            for leaves in [geometry.row_range(slot)]
        )
        tree = self._store.tree(dataset.tree_root)
        missing = wanted if tree is None else wanted.minus(tree.present)
        job.total_blocks, job.done_blocks = wanted.count(), wanted.count() - missing.count()
        borrow = self._exchange.borrow(dataset)
        try:
            rows = BorrowedRows(self._store, borrow, dataset)
            batches = column_batches(geometry, missing, batch_columns(geometry, BATCH_BYTES))
            await self._compute_all(job, dataset, rows, batches)
        finally:
            await borrow.close()

    async def _compute_all(
        self, job: RebuildJob, dataset: Dataset, rows: BorrowedRows, batches: list[ColumnBatch]
    ) -> None:
        """Batches in order, some on their way at a time."""
        loop, told_at = asyncio.get_running_loop(), self._clock.monotonic()
        flying: dict[asyncio.Task[None], None] = {}
        left = iter(batches)
        try:
            while True:
                while len(flying) < BATCHES and (batch := next(left, None)) is not None:
                    flying[loop.create_task(self._compute(job, dataset, rows, batch))] = None
                if not flying:
                    return
                done, _ = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    del flying[task]
                    task.result()
                if self._clock.monotonic() - told_at >= NEWS_SECONDS:
                    told_at = self._clock.monotonic()
                    self._tell(job, "rebuild.progress", job.reason)
        finally:
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)

    async def _compute(
        self, job: RebuildJob, dataset: Dataset, rows: BorrowedRows, batch: ColumnBatch
    ) -> None:
        geometry = rows.geometry
        got = await gather_rows(
            rows,
            batch.first,
            batch.stop,
            without=job.slots,
            preferred=0,
            deadline=self._clock.monotonic() + self._idle_seconds,
        )
        job.read_blocks = rows.local_blocks + rows.remote_blocks
        job.remote_blocks = rows.remote_blocks
        computed = await compute_rows(geometry, got, batch.rows, self._executor)
        used = name_rows(sorted(got))
        del got
        kept: list[tuple[int, int]] = []
        for row, data in zip(batch.rows, computed, strict=True):
            kept += await keep_row(self._store, dataset, row, batch, data, used)
        await self._store.flush()
        for start, stop in kept:
            job.written_blocks += stop - start
            job.done_blocks += stop - start
            job.meter.add((stop - start) * geometry.block_size, self._clock.monotonic())
            self._exchange.arrived(dataset, start, stop)
        job.reason = f"{job.done_blocks} of {job.total_blocks} blocks, from {used}"

    async def _hold(self, job: RebuildJob, timeout_seconds: float) -> None:
        """Take the slots, whose blocks are all here now."""
        job.state, job.reason = "hashing", "hashing the slots, checking their roots"
        for slot in sorted(job.slots, key=lambda each: each in job.spare):
            until = self._clock.now() + SPARE_SECONDS if slot in job.spare else job.until
            taking = await self._holds.start(job.cid, slot, timeout_seconds, until=until)
            if taking.task is not None:
                await asyncio.wait([taking.task])
            if taking.error is not None:
                raise taking.error
            if taking.state != "held":
                raise PeerError(f"slot {slot} was dropped while it was being rebuilt; ask again")

    def _tell(self, job: RebuildJob, kind: str, message: str) -> None:
        self._events.publish(
            kind,
            str(job.cid),
            message,
            slots=list(job.slots),
            done=job.done_blocks,
            total=job.total_blocks or 0,
            read=job.read_blocks,
        )
