"""Workers on Ray conform, and a job of real size outlives one of them.

All is one test, since a cluster takes its time to start: however the tests are shared out among
processes, there is one cluster.
"""

from __future__ import annotations

import inspect
import itertools
import os
import signal
from pathlib import Path

from conform.workers import Bench, WorkersConformance
from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.services.workers.ray import RayCluster
from quire.services.workers.remote import RemoteWorkers
from support.ray_cluster import needs_ray, ray_cluster

CORES = 3  # of the cluster: one for each worker


@needs_ray
async def test_workers_on_ray_conform_and_a_job_outlives_one_of_them(tmp_path: Path) -> None:
    with ray_cluster(CORES) as address:
        clock = SystemClock()
        events, waits = EventBus(clock), Waits(clock)
        workers = RemoteWorkers(RayCluster(address), events, waits, cores=1)
        await workers.start()
        bench = Bench(workers, events, waits, kill=lambda pid: os.kill(pid, signal.SIGKILL))
        try:
            await bench.until(lambda: workers.load().workers == CORES)
            await conform(bench)
        finally:
            await workers.stop()


async def conform(bench: Bench) -> None:
    """Every test that any other adapter passes, on this bench."""
    suite = WorkersConformance()
    for name, test in inspect.getmembers(suite, inspect.iscoroutinefunction):
        marks = getattr(test, "pytestmark", [])
        for values in (
            itertools.chain.from_iterable(mark.args[1] for mark in marks) if (marks) else [()]
        ):
            try:
                await test(bench, *(values if isinstance(values, tuple) else (values,)))
            except BaseException as error:
                error.add_note(f"in {name}{values}")
                raise
