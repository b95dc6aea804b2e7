"""One job that protects a dataset, as people watch it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from quire.base.errors import Bug, QuireError
from quire.dataset.geometry import Geometry
from quire.formats.cid import Cid
from quire.store.dataset import Dataset
from quire.store.protections import ProtectionRow

ENDED = ("complete", "failed", "cancelled", "interrupted")


@dataclass(slots=True)
class ProtectJob:
    """One job, as the API shows it. `state` is a word of the picture in `protect.py`."""

    cid: Cid
    k: int
    m: int
    started_at: float
    geometry: Geometry
    size: int  # bytes of the dataset before it is protected
    state: str = "waiting"
    reason: str = "waits for its turn"
    steps: int = 0  # columns that are durable
    resumed_steps: int = 0  # of them, those that were there when it began
    error: QuireError | None = None
    result: Dataset | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def verified_bytes(self) -> int:
        """Bytes of the dataset in columns that are coded, checked and durable."""
        return self.size if self.state == "complete" else self._bytes(self.steps)

    @property
    def resumed_bytes(self) -> int:
        """Of these, what an earlier job had done."""
        return self._bytes(self.resumed_steps)

    def _bytes(self, steps: int) -> int:
        return min(self.size, steps * self.k * self.geometry.block_size)


def job_of(source: Dataset, k: int, m: int, now: float) -> ProtectJob:
    manifest = source.manifest
    geometry = Geometry(manifest.block_count, k, m, manifest.block_size)
    return ProtectJob(source.manifest_cid, k, m, now, geometry, manifest.dataset_size)


def left_job(source: Dataset, row: ProtectionRow) -> ProtectJob:
    """A job that an earlier run of the node has left unfinished."""
    job = job_of(source, row.k, row.m, row.created_at)
    job.state, job.steps = "interrupted", row.steps
    job.reason = "the node was stopped; protect the dataset again to go on"
    return job


def note_complete(job: ProtectJob) -> None:
    job.state, job.reason = "complete", "every slot is here and can be proved"


def note_end(job: ProtectJob, task: asyncio.Task[None]) -> None:
    """The task is over, perhaps without having begun, perhaps by a mistake of ours."""
    failure = None if task.cancelled() else task.exception()
    if failure is not None:
        job.state, job.error = "failed", Bug(f"protecting {job.cid} failed: {failure!r}")
        job.reason = job.error.message
    elif not job.has_ended:
        job.state, job.reason = "cancelled", "stopped on request"
