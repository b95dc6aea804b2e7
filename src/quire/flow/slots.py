"""Stage 6: this node takes slots of protected datasets, holds them, and gives them up.

    searching -> listing -> fetching -> hashing -> held
        `----------- failed | cancelled ------------'

The list of the tree's leaves comes first: with it every block of the dataset, rebuilt ones too,
can be checked here and proved to others. A slot is held by a retention root of kind "slot" whose
name is its number, from when all its blocks and its tree are durable. One job for each slot,
however many ask; asking again after a failure or a crash goes on from what is here.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import Executor
from contextlib import suppress

from quire.base.clock import Clock
from quire.base.errors import BlockMissing, Busy, DeadlineExceeded, QuireError
from quire.base.events import EventBus
from quire.base.spans import span
from quire.base.units import format_size
from quire.dataset.geometry import Geometry
from quire.dataset.slot_tree import NODE_BYTES, slot_layers
from quire.flow.encode import SlotTrees
from quire.flow.fetch import Fetches, check_manifest_cid
from quire.flow.remembered import forget_old
from quire.flow.slot_digests import slot_digests
from quire.flow.slot_state import (
    ROOT_KIND,
    SlotJob,
    SlotState,
    check_slot,
    check_slot_root,
    held_slots,
    is_kept_whole,
    is_of_slot,
    unfinished_name,
)
from quire.formats.cid import Cid
from quire.net.exchange.engine import Exchange
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.store import Store

KEPT_JOBS = 256  # ended jobs that can still be asked about
REFETCHES_MAX = 3  # of blocks that went bad while they were hashed
LOOK_SECONDS = 60.0  # between two looks for slots whose time is over
UNFINISHED_SECONDS = 86_400.0  # what a job that broke off has got is kept so long


class SlotHolds:
    """All slots of one node."""

    def __init__(
        self,
        store: Store,
        exchange: Exchange,
        fetches: Fetches,
        slots: SlotTrees,
        events: EventBus,
        clock: Clock,
        *,
        idle_seconds: float = 600.0,
        executor: Executor | None = None,
    ) -> None:
        self._store = store
        self._exchange = exchange
        self._fetches = fetches
        self._slots = slots
        self._events = events
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._executor = executor
        self._jobs: OrderedDict[tuple[bytes, int], SlotJob] = OrderedDict()
        self._is_closing = False

    async def start(
        self, cid: Cid, slot: int, timeout_seconds: float, *, until: float | None = None
    ) -> SlotJob:
        """Begin to take a slot, or join the job that does so already.

        timeout_seconds  for the manifest and for the list of leaves
        Raises   NotAManifest  the CID names something else
                 InputError    the dataset is here, and is not protected or has no such slot
                 Busy          the node is stopping
        """
        check_manifest_cid(cid)
        local = await self._store.dataset(cid)
        if local is not None:
            check_slot(local, slot)
        if self._is_closing:
            raise Busy("the node is stopping; ask it again when it is back")
        known = self._jobs.get((cid.digest, slot))
        if known is not None and not known.has_ended:
            return known
        job = SlotJob(cid, slot, self._clock.now(), until)
        self._jobs[cid.digest, slot] = job
        self._jobs.move_to_end((cid.digest, slot))
        work = self._run(job, timeout_seconds)
        job.task = asyncio.get_running_loop().create_task(work, name=f"take slot {slot} of {cid}")
        job.task.add_done_callback(lambda _: job.note_end())
        forget_old(self._jobs, KEPT_JOBS)
        return job

    def of(self, cid: Cid, slot: int) -> SlotJob | None:
        """The newest job for a slot, ended or not."""
        return self._jobs.get((cid.digest, slot))

    def all(self) -> list[SlotJob]:
        """Jobs that are remembered, oldest first."""
        return list(self._jobs.values())

    async def state(self, cid: Cid, slot: int) -> SlotState | None:
        """What is here of a slot; None when the dataset is not here and nobody asked for it.

        Raises InputError when the dataset is not protected or has no such slot."""
        job, dataset = self.of(cid, slot), await self._store.dataset(cid)
        if dataset is not None:
            check_slot(dataset, slot)
            return self._state(dataset, slot, job)
        if job is None:
            return None
        return SlotState(slot, job.state, False, 0, None, self._reason(job), job.error)

    async def states(self, dataset: Dataset) -> list[SlotState]:
        """Every slot of a protected dataset of this node, in order. Raises InputError."""
        slots = Geometry.of(dataset.manifest).slots
        cid = dataset.manifest_cid
        return [self._state(dataset, slot, self.of(cid, slot)) for slot in range(slots)]

    async def cancel(self, cid: Cid, slot: int) -> bool:
        """Stop the job; blocks that it got stay for a day. Whether there was a running job."""
        job = self.of(cid, slot)
        if job is None or job.has_ended or job.task is None:
            return False
        job.task.cancel()
        await asyncio.wait([job.task])
        return True

    async def drop(self, cid: Cid, slot: int) -> bool:
        """Hold a slot no more, and stop taking it; whether there was anything to end.

        Its blocks and its tree go at once unless something else keeps the dataset than slots; with
        the last slot the dataset goes, at the next collection."""
        was_taken = await self.cancel(cid, slot)
        dataset = await self._store.dataset(cid)
        if dataset is None:
            return was_taken
        was_held = await self._store.release(cid, ROOT_KIND, str(slot))
        was_begun = await self._store.release(cid, "cache", unfinished_name(slot))
        dataset = await self._store.dataset(cid)
        if dataset is not None and (was_held or was_begun) and not is_kept_whole(dataset):
            row = check_slot(dataset, slot)
            await self._store.shed(dataset.tree_root, row.start, len(row))
            await self._slots.remove(dataset.tree_root, slot)
            if not any(is_of_slot(root) for root in dataset.roots):
                await self._store.release(cid, "cache", "exchange")  # of no use by itself
        if was_held:
            self._events.publish("slot.dropped", str(cid), f"slot {slot} is not held any more")
        return was_taken or was_held or was_begun

    async def stop(self) -> None:
        """Cancel every job."""
        self._is_closing = True
        for job in self.all():
            await self.cancel(job.cid, job.slot)

    async def run(self) -> None:
        """Give up slots whose time is over, for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(QuireError):  # the disk may be full; the next look tries again
                await self.expire()

    async def expire(self) -> int:
        """Give up slots whose time is over, unless they are being taken anew; how many."""
        count = 0
        for cid, name in await self._store.retention.ended(ROOT_KIND):
            slot = int(name) if name.isascii() and name.isdecimal() else -1
            job = self.of(cid, slot)
            if slot >= 0 and (job is None or job.has_ended):
                count += await self.drop(cid, slot)
        return count

    # ---- inside ----

    async def _run(self, job: SlotJob, timeout_seconds: float) -> None:
        subject = str(job.cid)
        self._events.publish("slot.started", subject, f"slot {job.slot}: looking for the manifest")
        try:
            job.dataset = await self._fetches.manifest(job.cid, timeout_seconds)
            row = check_slot(job.dataset, job.slot)
            begun = RetentionRoot(
                "cache", unfinished_name(job.slot), self._clock.now() + UNFINISHED_SECONDS
            )
            await self._store.retain(job.cid, begun)
            with (
                self._store.holding(job.dataset.tree_root),
                span("slot.take", cid=job.cid, slot=job.slot, blocks=len(row)),
            ):
                await self._take(job, job.dataset, row, timeout_seconds)
            job.state = "held"
            size = format_size(self._sizes(job.dataset, job.slot)[1])
            self._events.publish("slot.held", subject, f"slot {job.slot}: {size}", slot=job.slot)
        except QuireError as error:
            job.state, job.error = "failed", error
            self._events.publish("slot.failed", subject, error.message, code=error.code)
        except asyncio.CancelledError:
            job.state = "cancelled"
            self._events.publish("slot.cancelled", subject, f"slot {job.slot}: stopped on request")
            raise

    async def _take(
        self, job: SlotJob, dataset: Dataset, row: range, timeout_seconds: float
    ) -> None:
        job.state = "listing"
        await self._exchange.fetch_leaves(dataset, self._clock.monotonic() + timeout_seconds)
        for is_last in (False,) * REFETCHES_MAX + (True,):
            job.state = "fetching"
            await self._fetch(dataset, row)
            job.state, job.hashed_blocks = "hashing", 0
            try:
                digests = await self._digests(job, dataset)
                break
            except BlockMissing:
                if is_last:
                    raise
        layers = await asyncio.get_running_loop().run_in_executor(
            self._executor, slot_layers, digests, dataset.manifest.block_size
        )
        check_slot_root(dataset, job.slot, layers[-NODE_BYTES:])
        await self._slots.write(dataset.tree_root, job.slot, layers)
        await self._store.retain(job.cid, RetentionRoot(ROOT_KIND, str(job.slot), job.until))
        await self._store.release(job.cid, "cache", unfinished_name(job.slot))

    async def _fetch(self, dataset: Dataset, row: range) -> None:
        """Get the blocks, for as long as something is gained every `idle_seconds`."""
        while True:
            before = self._present(dataset, row)
            deadline = self._clock.monotonic() + self._idle_seconds
            try:
                return await self._exchange.ensure(dataset, row.start, len(row), deadline)
            except DeadlineExceeded:
                if self._present(dataset, row) <= before:
                    raise

    async def _digests(self, job: SlotJob, dataset: Dataset) -> bytes:
        def note(blocks: int) -> None:
            job.hashed_blocks = blocks

        geometry = Geometry.of(dataset.manifest)
        root, executor = dataset.tree_root, self._executor
        return await slot_digests(self._store, root, geometry, job.slot, executor, note)

    def _present(self, dataset: Dataset, row: range) -> int:
        """Blocks of a row that are here, pads included."""
        tree = self._store.tree(dataset.tree_root)
        return 0 if tree is None else tree.present.within(row.start, row.stop).count()

    def _sizes(self, dataset: Dataset, slot: int) -> tuple[int, int]:
        """(bytes here, bytes in all) of the blocks of a slot, without pads."""
        geometry = Geometry.of(dataset.manifest)
        stored = geometry.stored_blocks(slot)
        first = geometry.row_range(slot).start
        here = self._present(dataset, range(first, first + stored)) if stored else 0
        return here * geometry.block_size, stored * geometry.block_size

    def _state(self, dataset: Dataset, slot: int, job: SlotJob | None) -> SlotState:
        here, total = self._sizes(dataset, slot)
        is_held = slot in held_slots(dataset)
        if job is not None and (not job.has_ended or (job.error and here < total)):
            state, reason = job.state, self._reason(job)
        elif is_held:
            missing = (total - here) // dataset.manifest.block_size
            state = "damaged" if missing else "held"
            reason = f"{missing} blocks were lost; take it again" if missing else "it is held"
        elif here == total:
            state, reason = "stored", "its blocks are here, kept for another reason"
        else:
            state, reason = "absent", "this node does not hold it"
        return SlotState(
            slot, state, is_held, here, total, reason, None if job is None else job.error
        )

    def _reason(self, job: SlotJob) -> str:
        """What a job waits for, in words."""
        if job.error is not None:
            return job.error.message
        if job.has_ended:
            return "it is held" if job.state == "held" else "stopped on request"
        if job.state == "hashing":
            return f"{job.hashed_blocks} blocks are hashed"
        what = {
            "searching": "looking for the manifest",
            "listing": "getting the list of leaves",
            "fetching": "fetching its blocks",
        }[job.state]
        explanation = self._exchange.explain(job.cid)
        return what if explanation is None else f"{what}: {explanation.reason}"
