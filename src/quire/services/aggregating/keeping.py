"""What is kept in the store for jobs, each by a retention root of kind "job" with the job's name:
nothing of it is collected while the job lasts, and nothing is kept for it afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from quire.aggregation.values import JobId
from quire.store.dataset import RetentionRoot
from quire.store.store import Store

KIND = "job"


def root_of(job_id: JobId) -> RetentionRoot:
    """Of whatever a job needs or makes; it lasts until it is released."""
    return RetentionRoot(KIND, job_id.hex(), None)


async def release(store: Store, job_id: JobId) -> None:
    """A job needs nothing any more; what nothing else keeps goes at the next collection."""
    for cid, name in await store.retention.kept(KIND):
        if name == job_id.hex():
            await store.release(cid, KIND, name)
            dataset = await store.dataset(cid)
            if dataset is not None and all(root.kind == "cache" for root in dataset.roots):
                await store.release(cid, "cache", "exchange")  # it came for the job


async def release_strays(store: Store, live: Sequence[JobId]) -> int:
    """What is kept for jobs that are not known, as after a crash, is released; how many."""
    names = dict.fromkeys(job_id.hex() for job_id in live)
    count = 0
    for cid, name in await store.retention.kept(KIND):
        if name not in names:
            count += await store.release(cid, KIND, name)
    return count
