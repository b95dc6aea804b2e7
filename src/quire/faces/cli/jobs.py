"""Following a job of the node from the command line until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from quire.faces.cli.progress import progress
from quire.faces.client import Client

POLL_SECONDS = 0.2
ENDED = ("complete", "failed", "cancelled")

Job = dict[str, Any]


def _reason(job: Job) -> str:
    return str(job["reason"])


async def watch(
    client: Client,
    path: str,
    name: str,
    *,
    ended: Sequence[str] = ENDED,
    note: Callable[[Job], str] = _reason,
    is_quiet: bool,
) -> Job:
    """Show a bar of verified bytes until the job's state is one of `ended`; the job.

    note   what stands beside the bar
    """
    with progress(name, None, is_quiet=is_quiet) as report:
        while True:
            found = await client.json("GET", path)
            job: Job = found["jobs"][-1] if "jobs" in found else found
            report(job["verifiedBytes"], note(job), total=job["totalBytes"])
            if job["state"] in ended:
                return job
            await asyncio.sleep(POLL_SECONDS)
