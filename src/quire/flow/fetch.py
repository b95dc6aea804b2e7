"""Stage 3: a manifest CID becomes a manifest, and then a job that gets the blocks.

    searching -> fetching -> complete
             `-> failed  `-> failed | cancelled

One job per manifest CID, however many ask. A job has no fixed end, as datasets may be large, but it
fails when nothing was gained for `idle_seconds`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from quire.base.clock import Clock
from quire.base.errors import BlockMissing, DeadlineExceeded, NotFound, QuireError
from quire.base.events import EventBus
from quire.base.spans import span
from quire.flow.assemble import Assembler
from quire.flow.remembered import forget_old
from quire.formats.cid import Cid, is_manifest
from quire.net.exchange.engine import Exchange
from quire.net.exchange.job import FetchJob
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.store import Store

KEPT_JOBS = 256  # ended jobs that can still be asked about


class NotAManifest(NotFound):
    """The CID names something else than a dataset."""

    code = "not-a-manifest"
    hint = "a dataset is named by its manifest CID, a text that begins with zDv"


def check_manifest_cid(cid: Cid) -> None:
    """Refuse a CID that can never name a dataset, before anybody is asked for it."""
    if not is_manifest(cid):
        raise NotAManifest(f"{cid} does not name a dataset: it is not a manifest CID", cid=str(cid))


class Fetch:
    """One job, as the API shows it. `state` is a word of the module's picture."""

    def __init__(self, cid: Cid, started_at: float) -> None:
        self.cid = cid
        self.state = "searching"
        self.started_at = started_at
        self.error: QuireError | None = None
        self.dataset: Dataset | None = None
        self.job: FetchJob | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def has_ended(self) -> bool:
        return self.state in ("complete", "failed", "cancelled")

    def note_end(self) -> None:
        """The task is over, perhaps without having begun."""
        if not self.has_ended:
            self.state = "cancelled"


class Fetches:
    """All fetch jobs of one node."""

    def __init__(
        self,
        store: Store,
        exchange: Exchange,
        assembler: Assembler,
        events: EventBus,
        clock: Clock,
        *,
        idle_seconds: float = 600.0,
        keep_seconds: float | None = None,
    ) -> None:
        self._store = store
        self._exchange = exchange
        self._assembler = assembler
        self._events = events
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._keep_seconds = keep_seconds
        self._jobs: OrderedDict[bytes, Fetch] = OrderedDict()

    async def manifest(self, cid: Cid, timeout_seconds: float) -> Dataset:
        """The dataset that a CID names, asked from the network when it is not here.

        Raises   NotAManifest      the CID names something else
                 UnknownDataset    everybody who could be asked does not have it
                 DeadlineExceeded  no answer within `timeout_seconds`
        """
        check_manifest_cid(cid)
        local = await self._store.dataset(cid)
        if local is not None:
            return local
        deadline = self._clock.monotonic() + timeout_seconds
        with span("fetch.manifest", cid=cid):
            return await self._exchange.fetch_manifest(cid, deadline)

    async def keep(self, dataset: Dataset, *, is_asked_for: bool = False) -> None:
        """What passes through is kept for `keep_seconds` (None: for ever) from now, unless it is
        kept for another reason; what somebody asked to have here, unless it is kept as long."""
        others = [root.expires_at for root in dataset.roots if root.kind != "cache"]
        seconds = self._keep_seconds
        until = None if seconds is None else self._clock.now() + seconds
        if is_asked_for:
            others = [end for end in others if end is None or (until is not None and end >= until)]
        if not others:
            root = RetentionRoot("cache", "fetch", until)
            await self._store.retain(dataset.manifest_cid, root)

    def start(self, cid: Cid, timeout_seconds: float) -> Fetch:
        """Begin to get a dataset, or join the job that does so already."""
        check_manifest_cid(cid)
        key = cid.encode()
        known = self._jobs.get(key)
        if known is not None and not known.has_ended:
            return known
        fetch = Fetch(cid, self._clock.now())
        self._jobs[key] = fetch
        self._jobs.move_to_end(key)
        fetch.task = asyncio.get_running_loop().create_task(self._run(fetch, timeout_seconds))
        fetch.task.add_done_callback(lambda _: fetch.note_end())
        forget_old(self._jobs, KEPT_JOBS)
        return fetch

    async def whole(self, cid: Cid, timeout_seconds: float) -> Dataset:
        """A dataset with every block of it here, joining the job that gets it.

        Raises what the job failed with, BlockMissing when it was cancelled."""
        fetch = self.start(cid, timeout_seconds)
        if fetch.task is not None:
            await asyncio.wait([fetch.task])
        if fetch.error is not None:
            raise fetch.error
        if fetch.dataset is None or fetch.state != "complete":
            raise BlockMissing(f"the fetch of {cid} was stopped; blocks of it are not here")
        return fetch.dataset

    def of(self, cid: Cid) -> Fetch | None:
        """The newest job for a CID, ended or not."""
        return self._jobs.get(cid.encode())

    def all(self) -> list[Fetch]:
        """Jobs that are remembered, oldest first."""
        return list(self._jobs.values())

    async def cancel(self, cid: Cid) -> bool:
        """Stop the job; blocks that it got stay. Whether there was a running job."""
        fetch = self._jobs.get(cid.encode())
        if fetch is None or fetch.has_ended or fetch.task is None:
            return False
        fetch.task.cancel()
        await asyncio.wait([fetch.task])
        return True

    async def stop(self) -> None:
        """Cancel every job."""
        for fetch in self.all():
            await self.cancel(fetch.cid)

    async def _run(self, fetch: Fetch, timeout_seconds: float) -> None:
        subject = str(fetch.cid)
        self._events.publish("fetch.started", subject, "looking for the manifest")
        try:
            fetch.dataset = await self.manifest(fetch.cid, timeout_seconds)
            fetch.state = "fetching"
            await self.keep(fetch.dataset, is_asked_for=True)
            if not self._is_here(fetch.dataset):
                with (
                    self._store.holding(fetch.dataset.tree_root),
                    span("fetch", cid=fetch.cid, blocks=fetch.dataset.block_count),
                ):
                    await self._get(fetch, fetch.dataset)
            fetch.state = "complete"
            self._events.publish("fetch.complete", subject, "all of its data is here and verified")
        except QuireError as error:
            fetch.state, fetch.error = "failed", error
            self._events.publish("fetch.failed", subject, error.message, code=error.code)
        except asyncio.CancelledError:
            fetch.state = "cancelled"
            self._events.publish("fetch.cancelled", subject, "stopped on request")
            raise
        finally:
            if fetch.job is not None and fetch.state != "complete":
                fetch.job.cancel()

    async def _get(self, fetch: Fetch, dataset: Dataset) -> None:
        """All that a download returns; of a protected dataset that is the data rows."""
        async with self._assembler.helping(dataset) as want:
            if self._is_here(dataset):
                return  # computed from what was here
            fetch.job = self._exchange.fetch(dataset)
            waiting = self._wait(fetch.job, dataset)
            await (waiting if want is None else want.first_of(waiting))

    async def _wait(self, job: FetchJob, dataset: Dataset) -> None:
        """Wait for the end, for as long as something is gained every `idle_seconds`."""
        waiting = asyncio.get_running_loop().create_task(job.wait(None))
        gained = (-1, -1)
        try:
            while True:
                done, _ = await asyncio.wait([waiting], timeout=self._idle_seconds)
                if done:
                    return waiting.result()
                blocks = dataset.manifest.original_block_count
                progress = job.progress()
                now_gained = (progress.verified_bytes, self._assembler.gained(dataset, 0, blocks))
                if now_gained == gained:
                    doing = [progress.reason, *self._assembler.explain(dataset.manifest_cid)]
                    raise DeadlineExceeded(
                        f"no block arrived for {self._idle_seconds:.0f} s: {'; '.join(doing)}"
                    )
                gained = now_gained
        finally:
            waiting.cancel()
            await asyncio.wait([waiting])

    def _is_here(self, dataset: Dataset) -> bool:
        tree = self._store.tree(dataset.tree_root)
        return tree is not None and tree.present.covers(0, dataset.manifest.original_block_count)
