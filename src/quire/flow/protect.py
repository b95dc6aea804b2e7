"""Stage 5: a dataset of this node becomes a protected one, with k + m rows that prove themselves.

    waiting -> fetching -> coding -> complete
       `-------- failed | cancelled | interrupted (by the end of the node) --------'

One job for each dataset, K and M, however many ask. What a failed or interrupted job has made
durable is kept for a while, and whoever asks again goes on from there; a cancelled one leaves
nothing. A job has no fixed end, as datasets may be large; what it waits for is its `reason`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.errors import Busy, QuireError, UnknownDataset
from quire.base.events import EventBus
from quire.base.spans import span
from quire.base.units import format_size
from quire.dataset.geometry import check_code, check_protection
from quire.dataset.protected import refuse_protected
from quire.flow.encode import EncodePorts, SlotTrees, encode
from quire.flow.protect_job import ProtectJob, job_of, left_job, note_complete, note_end
from quire.flow.remembered import forget_old
from quire.flow.workers import Workers
from quire.formats.cid import Cid, manifest_cid_of
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.protections import ProtectionRow
from quire.store.store import Store

KEPT_JOBS = 256  # ended jobs that can still be asked about
JOBS_AT_ONCE = 2  # others wait for their turn: each uses all cores
NEWS_SECONDS = 1.0  # between two events of progress
LOOK_SECONDS = 60.0  # between two looks for what nobody went on with


@dataclass(frozen=True, slots=True)
class ProtectPorts:
    """What protecting stands on. `complete` gets every block of a dataset of this node, or raises
    why it cannot."""

    store: Store
    slots: SlotTrees
    complete: Callable[[Cid], Awaitable[object]]
    events: EventBus
    clock: Clock
    workers: Workers


class Protections:
    """All jobs of one node that protect datasets."""

    def __init__(
        self, ports: ProtectPorts, *, lifetime_seconds: float, keep_seconds: float | None = None
    ) -> None:
        self._ports = ports
        self._store = ports.store
        self._events = ports.events
        self._clock = ports.clock
        self._lifetime_seconds = lifetime_seconds
        self._keep_seconds = keep_seconds
        self._jobs: OrderedDict[tuple[bytes, int, int], ProtectJob] = OrderedDict()
        self._turns = asyncio.Semaphore(JOBS_AT_ONCE)
        self._is_closing = False

    async def start(
        self, cid: Cid, k: int, m: int, *, keep: RetentionRoot | None = None
    ) -> ProtectJob:
        """Begin to protect a dataset with k + m rows, go on where an earlier job ended, or join
        the one that runs. A result that is there already is the result.

        keep     why the result is kept; None: as long as an upload
        Raises   BadProtection, InsufficientBlocks  k, m or both do not fit the dataset
                 UnknownDataset  it is not on this node
                 InputError      it is protected already
                 Busy            the node is stopping
        """
        check_code(k, m)
        source = await self._store.dataset(cid)
        if source is None:
            raise UnknownDataset(f"{cid} is not on this node; fetch it first", cid=str(cid))
        refuse_protected(source.manifest)
        check_protection(k, m, source.block_count, source.manifest.block_size)
        if self._is_closing:
            raise Busy("the node is stopping; protect the dataset when it is back")
        key = (cid.digest, k, m)
        known = self._jobs.get(key)
        if known is not None and not known.has_ended:
            return known
        job = self._jobs[key] = job_of(source, k, m, self._clock.now())
        self._jobs.move_to_end(key)
        work = self._run(job, source, keep or self._default_root())
        job.task = asyncio.get_running_loop().create_task(work, name=f"protect {cid}")
        job.task.add_done_callback(lambda task: note_end(job, task))
        forget_old(self._jobs, KEPT_JOBS)
        return job

    async def of(self, cid: Cid) -> list[ProtectJob]:
        """The jobs for a dataset, oldest first, and those that an earlier run of the node left."""
        known = [job for job in self._jobs.values() if job.cid == cid]
        source = await self._store.dataset(cid)
        if source is None:
            return known
        keys = {(job.k, job.m) for job in known}
        rows = await self._store.protecting.every()
        left = [
            left_job(source, row)
            for row in rows
            if row.source == cid.digest and not row.is_complete and (row.k, row.m) not in keys
        ]
        return left + known

    @property
    def active(self) -> list[ProtectJob]:
        """Jobs that have not ended, oldest first."""
        return [job for job in self._jobs.values() if not job.has_ended]

    async def wait(self, job: ProtectJob) -> Dataset:
        """The result of a job. Raises what it failed with, Busy when it was stopped."""
        if job.task is not None:
            await asyncio.wait([job.task])
        if job.error is not None:
            raise job.error
        if job.result is None:
            raise Busy(f"the protection of {job.cid} was {job.state}; ask again to go on")
        return job.result

    async def cancel(self, cid: Cid, k: int, m: int) -> bool:
        """Stop a job and leave nothing of it; whether there was something to stop. A protection
        that is complete stays."""
        job = self._jobs.get((cid.digest, k, m))
        if job is not None and job.task is not None and not job.has_ended:
            job.task.cancel()
            await asyncio.wait([job.task])
        row = await self._store.protecting.discard(cid, k, m)
        if job is not None and job.state == "cancelled":
            job.result = await self._store.protecting.result(cid, k, m)
            if job.result is not None:  # it was quicker
                note_complete(job)
                return False
        if row is None:
            return job is not None and job.state == "cancelled"
        await self._remove_slots(row)
        if job is not None:
            job.state, job.steps, job.reason = "cancelled", 0, "stopped on request"
        self._events.publish("protect.cancelled", str(cid), f"{k} + {m}: stopped on request")
        return True

    async def stop(self) -> None:
        """Interrupt every job; what is durable of them stays."""
        self._is_closing = True
        for job in self.active:
            if job.task is not None:
                job.task.cancel()
                await asyncio.wait([job.task])
                job.state, job.reason = "interrupted", "the node was stopped"

    async def run(self) -> None:
        """Remove what nobody goes on with in time, for ever."""
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, self._lifetime_seconds / 4))
            with suppress(QuireError):  # the disk may be full; the next look tries again
                await self.expire()

    async def expire(self) -> int:
        """Remove what nobody went on with in time; how many."""
        late = await self._store.protecting.expire()
        for row in late:
            await self._remove_slots(row)
            self._events.publish(
                "protect.expired",
                str(manifest_cid_of(row.source)),
                f"{row.k} + {row.m}: was not gone on with in time",
            )
        return len(late)

    # ---- inside ----

    async def _run(self, job: ProtectJob, source: Dataset, keep: RetentionRoot) -> None:
        subject = str(job.cid)
        started = self._clock.monotonic()
        try:
            async with self._turns:
                with (
                    self._store.holding(source.tree_root),
                    span("protect", cid=job.cid, k=job.k, m=job.m),
                ):
                    job.result = await self._protect(job, source, keep)
            note_complete(job)
            seconds = round(self._clock.monotonic() - started, 3)
            size = job.geometry.protected_size
            self._events.publish(
                "protect.complete",
                subject,
                f"{job.k} + {job.m}: {format_size(size)} in {job.geometry.slots} slots",
                cid=str(job.result.manifest_cid),
                bytes=size,
                seconds=seconds,
            )
        except QuireError as error:
            job.state, job.error, job.reason = "failed", error, error.message
            self._events.publish("protect.failed", subject, error.message, code=error.code)

    async def _protect(self, job: ProtectJob, source: Dataset, keep: RetentionRoot) -> Dataset:
        known = await self._store.protecting.result(job.cid, job.k, job.m)
        if known is not None:
            await self._store.retain(known.manifest_cid, keep)
            return known
        if not source.is_complete:
            await self._complete(job)
        opening = self._store.protecting.open(source, job.k, job.m, self._lifetime_seconds)
        tree = await opening
        try:
            job.state, job.steps, job.resumed_steps = "coding", tree.steps, tree.steps
            job.reason = f"column {tree.steps} of {job.geometry.steps} is next"
            self._events.publish(
                "protect.started",
                str(job.cid),
                f"{job.k} + {job.m}: from column {tree.steps} of {job.geometry.steps} on",
            )
            return await encode(self._encode_ports(job), source, tree, keep)
        finally:
            await asyncio.shield(tree.close())

    def _encode_ports(self, job: ProtectJob) -> EncodePorts:
        told_at = self._clock.monotonic()

        def note(reason: str, steps: int) -> None:
            nonlocal told_at
            job.state, job.reason, job.steps = "coding", reason, steps
            now = self._clock.monotonic()
            if now - told_at >= NEWS_SECONDS:
                told_at = now
                self._events.publish(
                    "protect.progress",
                    str(job.cid),
                    f"{job.k} + {job.m}: {reason}",
                    verifiedBytes=job.verified_bytes,
                    totalBytes=job.size,
                )

        return EncodePorts(
            store=self._store,
            slots=self._ports.slots,
            refetch=lambda: self._complete(job),
            workers=self._ports.workers,
            note=note,
        )

    async def _complete(self, job: ProtectJob) -> None:
        """Get the blocks of the dataset that are not here."""
        job.state, job.reason = "fetching", "blocks that are not here are being fetched"
        self._events.publish("protect.fetching", str(job.cid), job.reason)
        await self._ports.complete(job.cid)

    async def _remove_slots(self, row: ProtectionRow) -> None:
        """Slot trees of a protection that came to nothing, unless another dataset needs them."""
        if row.root is None or self._store.tree(row.root) is not None:
            return
        for slot in range(row.k + row.m):
            await self._ports.slots.remove(row.root, slot)

    def _default_root(self) -> RetentionRoot:
        seconds = self._keep_seconds
        return RetentionRoot("lease", "", None if seconds is None else self._clock.now() + seconds)
