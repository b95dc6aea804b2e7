"""Datasets that customers push, block by block, because they keep nothing of them.

    put (runs, out of order within a window) ─► an unfinished upload of the store ─► seal ─► dataset
                                                     `── let go at the end of the job, or at a start

What is answered to be here is durable; who pushes goes on behind it after a crash of either side.
A dataset appears only when all blocks are here and make the tree of the manifest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from quire.aggregation.job import Job
from quire.aggregation.values import EncodeWork, JobId
from quire.base.clock import Clock
from quire.base.errors import BadManifest, Bug, QuireError
from quire.base.events import EventBus
from quire.formats.aggregator import AggregatorAnswer
from quire.formats.aggregator_codes import Code
from quire.formats.cid import Cid, manifest_cid_of
from quire.formats.manifest import Manifest, decode_manifest
from quire.formats.replica_parts import BLOCK_BYTES
from quire.services.aggregating.keeping import release_strays, root_of
from quire.store.dataset import Dataset
from quire.store.resumable import ResumableUpload, UnknownUpload
from quire.store.store import Store
from quire.store.unfinished import UploadRow

WINDOW_BLOCKS = 128  # ahead of what is here; all of it may be in memory
GAP_SECONDS = 20.0  # that a run waits for those before it
BUSY_MS = 500
LIFE_SECONDS = 30 * 86_400.0  # after the last block; the job's own end comes first
_PREFIX = "job-"


class _Push:
    """One dataset that comes in. `runs`: taken, and not yet written: first byte -> bytes."""

    def __init__(self, upload: ResumableUpload) -> None:
        self.upload = upload
        self.runs: dict[int, bytes] = {}
        self.moved = asyncio.Condition()
        self.writing: asyncio.Task[None] | None = None
        self.error: QuireError | None = None

    @property
    def waiting_bytes(self) -> int:
        return sum(map(len, self.runs.values()))

    @property
    def has_next(self) -> bool:
        return any(start <= self.upload.position for start in self.runs)

    def start(self) -> None:
        """Write what follows, unless that is being done."""
        if self.writing is None and self.has_next:
            name = f"push {self.upload.row.id}"
            self.writing = asyncio.get_running_loop().create_task(self._write(), name=name)

    async def end(self) -> None:
        """Close the upload, what was written stays."""
        if self.writing is not None:
            await asyncio.wait([self.writing])
        await self.upload.close()

    async def _write(self) -> None:
        is_over = False
        try:
            while self.has_next:
                start = min(self.runs)
                run = self.runs.pop(start)
                await self.upload.write(memoryview(run)[self.upload.position - start :])
            await self.upload.checkpoint()
            is_over = True
        except QuireError as error:
            self.error = error
        finally:
            self.writing = None
            if not is_over and self.error is None:
                self.error = Bug("pushed blocks could not be written")
            async with self.moved:
                self.moved.notify_all()


class Pushed:
    """Those of one node."""

    def __init__(self, store: Store, clock: Clock, events: EventBus) -> None:
        self._store = store
        self._clock = clock
        self._events = events
        self._open: dict[JobId, _Push] = {}
        self._opening = asyncio.Lock()

    async def start(self, live: Sequence[JobId]) -> None:
        """Drop what was pushed, and what is kept, for jobs that are not under way any more, as
        after a crash."""
        known = dict.fromkeys(map(_name, live))
        for row in await self._store.resumables.every():
            if row.id.startswith(_PREFIX) and row.id not in known:
                await self._store.resumables.remove(row.id)
        strays = await release_strays(self._store, live)
        if strays:
            text = f"{strays} datasets were kept for jobs that are over, and were released"
            self._events.publish("aggregator.strays", "", text)

    async def stop(self) -> None:
        """What is here stays for the next start."""
        for push in list(self._open.values()):
            await push.end()
        self._open.clear()

    async def expect(self, job_id: JobId, size: int) -> None:
        """Have room for a dataset of so many bytes. Raises QuotaExceeded, DiskFull."""
        with suppress(UnknownUpload):
            if (await self._store.resumables.find(_name(job_id))).length == size:
                return
            await self._store.resumables.remove(_name(job_id))
        now = self._clock.now()
        row = UploadRow(
            id=_name(job_id),
            created_at=now,
            expires_at=now + LIFE_SECONDS,
            block_size=BLOCK_BYTES,
            length=size,
            position=0,
            tree_id=None,
            cid=None,
            filename=None,
            mimetype=None,
            headers="",
        )
        await self._store.resumables.create(row)

    async def here(self, job: Job) -> int:
        """Blocks that are durable, from the first on, without a gap."""
        push = self._open.get(job.job_id)
        if push is not None:
            durable = push.upload.durable_bytes
        else:
            try:
                durable = (await self._store.resumables.find(_name(job.job_id))).position
            except UnknownUpload:
                return 0
        size = _work(job).size
        return _blocks(size) if durable == size else durable // BLOCK_BYTES

    def permille(self, job: Job, blocks: int) -> int:
        """Of how much has to be pushed."""
        return blocks * 1000 // _blocks(_work(job).size)

    async def put(self, job: Job, index: int, data: memoryview) -> AggregatorAnswer | None:
        """Take whole blocks; None: all up to the end of them are durable. Raises QuireError."""
        size = _work(job).size
        total, stop = _blocks(size), index + len(data) // BLOCK_BYTES
        if stop > total:
            text = f"the dataset has {total} blocks; block {stop - 1} is none of them"
            return AggregatorAnswer(Code.REFUSED, text)
        if stop <= await self.here(job):
            return None
        push = await self._push_of(job)
        here = push.upload.position // BLOCK_BYTES
        is_far = stop > here + WINDOW_BLOCKS
        if is_far or push.waiting_bytes + len(data) > WINDOW_BLOCKS * BLOCK_BYTES:
            text = f"{here} blocks are here; push at most {WINDOW_BLOCKS} beyond them"
            return AggregatorAnswer(Code.BUSY, text, None, BUSY_MS)
        first, end = index * BLOCK_BYTES, min(stop * BLOCK_BYTES, size)
        if end > push.upload.position and len(push.runs.get(first, b"")) < end - first:
            push.runs[first] = bytes(data[: end - first])
        return await self._until_durable(job, push, end)

    async def seal(self, job: Job, data: bytes) -> Cid | AggregatorAnswer:
        """The dataset of a manifest, when all its blocks are here. Raises QuireError."""
        work = _work(job)
        manifest = _checked(data, work)
        if isinstance(manifest, AggregatorAnswer):
            return manifest
        made = await self._made(job, work)
        if made is None:
            here, total = await self.here(job), _blocks(work.size)
            text = f"{here} of {total} blocks are here; push the others first"
            return AggregatorAnswer(Code.INCOMPLETE, text)
        root = root_of(job.job_id)
        if made.tree_root != manifest.tree_cid.digest:
            await self._store.release(made.manifest_cid, root.kind, root.name)
            await self._again(job, work)
            text = "the blocks that were pushed do not make the tree of this manifest"
            return AggregatorAnswer(Code.REFUSED, f"{text}; all were dropped, push them again")
        sealed = await self._store.put_manifest(data, root)
        if sealed.manifest_cid != made.manifest_cid:
            await self._store.release(made.manifest_cid, root.kind, root.name)
        return sealed.manifest_cid

    async def drop(self, job: Job) -> None:
        """Let go of what was pushed; a dataset that came of it has its own reason to be kept."""
        push = self._open.pop(job.job_id, None)
        if push is not None:
            push.error = UnknownUpload("what was pushed for this job was dropped")
            await push.end()
        await self._store.resumables.remove(_name(job.job_id))

    # ---- inside ----

    async def _again(self, job: Job, work: EncodeWork) -> None:
        """Nothing is here any more, and everything may be pushed again."""
        await self.drop(job)
        await self.expect(job.job_id, work.size)

    async def _push_of(self, job: Job) -> _Push:
        async with self._opening:
            push = self._open.get(job.job_id)
            if push is None:
                upload = await self._store.resumables.open(_name(job.job_id), LIFE_SECONDS)
                push = self._open[job.job_id] = _Push(upload)
            return push

    async def _until_durable(self, job: Job, push: _Push, end: int) -> AggregatorAnswer | None:
        deadline = asyncio.get_running_loop().time() + GAP_SECONDS
        try:
            async with asyncio.timeout_at(deadline), push.moved:
                while push.upload.durable_bytes < end:
                    if push.error is not None:
                        raise push.error
                    push.start()
                    await push.moved.wait()
        except TimeoutError:
            text = f"blocks before these are not here; there are {await self.here(job)}"
            return AggregatorAnswer(Code.BUSY, text, None, BUSY_MS)
        except QuireError:
            if self._open.get(job.job_id) is push:  # what is durable is; the next run opens it anew
                del self._open[job.job_id]
                await push.end()
            raise
        return None

    async def _made(self, job: Job, work: EncodeWork) -> Dataset | None:
        """What the blocks make, when all are here."""
        row = await self._store.resumables.find(_name(job.job_id))
        if row.cid is not None:
            made = await self._store.dataset(manifest_cid_of(row.cid))
            if made is None:  # deleted by hand
                await self._again(job, work)
            return made
        if await self.here(job) < _blocks(work.size):
            return None
        push = await self._push_of(job)
        del self._open[job.job_id]
        try:
            return await push.upload.commit(root_of(job.job_id))
        finally:
            await push.end()


def _checked(data: bytes, work: EncodeWork) -> Manifest | AggregatorAnswer:
    """The manifest, when it is of what was offered."""
    try:
        manifest = decode_manifest(data)
    except BadManifest as error:
        return AggregatorAnswer(Code.REFUSED, f"that is no manifest: {error.message}")
    problem = mismatch(manifest, work)
    return AggregatorAnswer(Code.REFUSED, problem) if problem else manifest


def mismatch(manifest: Manifest, work: EncodeWork) -> str:
    """Why a dataset is not the one that the offer is for; "": it is."""
    if manifest.is_protected:
        return "the dataset is protected already; order the original one to be coded"
    if (manifest.dataset_size, manifest.block_size) != (work.size, work.block_size):
        return (
            f"the dataset has {manifest.dataset_size} bytes in blocks of {manifest.block_size}; "
            f"the offer is for {work.size} in blocks of {work.block_size}"
        )
    return ""


def _work(job: Job) -> EncodeWork:
    assert isinstance(job.work, EncodeWork)
    return job.work


def _name(job_id: JobId) -> str:
    """Of the upload of a job."""
    return _PREFIX + job_id.hex()


def _blocks(size: int) -> int:
    return -(-size // BLOCK_BYTES)
