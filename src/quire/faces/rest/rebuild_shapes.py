"""The JSON shape of a job that rebuilds slots."""

from __future__ import annotations

from typing import Any

from quire.faces.rest.shape import Shape
from quire.flow.rebuild_job import RebuildJob


class RebuildStatus(Shape, frozen=True):
    """A job that rebuilds slots. `state`: searching, listing, rebuilding, hashing, complete,
    failed, cancelled. `verifiedBytes` of `totalBytes` (null until it is known): blocks of the slots
    that are checked and durable, without padding, also those from before. `readBlocks`: of other
    rows, for this job; `remoteBlocks` of them came from other nodes."""

    cid: str
    slots: list[int]
    state: str
    verified_bytes: int
    total_bytes: int | None
    read_blocks: int
    remote_blocks: int
    written_blocks: int
    rate_bytes_per_second: float
    eta_seconds: float | None
    started_at: float
    reason: str
    error: dict[str, Any] | None = None


def rebuild_status(job: RebuildJob, now: float) -> RebuildStatus:
    """`now` in monotonic seconds."""
    rate = 0.0 if job.has_ended else job.meter.shown(now)
    total = job.total_bytes
    is_known = total is not None and rate >= 1 and not job.has_ended
    return RebuildStatus(
        cid=str(job.cid),
        slots=list(job.slots),
        state=job.state,
        verified_bytes=job.verified_bytes,
        total_bytes=total,
        read_blocks=job.read_blocks,
        remote_blocks=job.remote_blocks,
        written_blocks=job.written_blocks,
        rate_bytes_per_second=round(rate, 1),
        eta_seconds=round(((total or 0) - job.verified_bytes) / rate, 1) if is_known else None,
        started_at=job.started_at,
        reason=job.reason,
        error=None if job.error is None else job.error.as_dict(),
    )
