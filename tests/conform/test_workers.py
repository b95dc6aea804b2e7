"""Threads of this process conform; so do workers elsewhere, with a cluster that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from conform.workers import Bench, WorkersConformance
from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.services.workers import crew
from quire.services.workers.local import LocalWorkers
from quire.services.workers.remote import RemoteWorkers
from support.thread_cluster import CORES, WORKERS, ThreadCluster


class TestThreads(WorkersConformance):
    @pytest.fixture
    async def bench(self):
        clock = SystemClock()
        waits = Waits(clock)
        workers = LocalWorkers(waits, proofs_at_once=2)
        await workers.start()
        yield Bench(workers, EventBus(clock), waits)
        await workers.stop()


class TestElsewhere(WorkersConformance):
    @pytest.fixture
    async def bench(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(crew, "LOOK_SECONDS", 0.05)
        clock = SystemClock()
        events, waits = EventBus(clock), Waits(clock)
        cluster = ThreadCluster(tmp_path)
        workers = RemoteWorkers(cluster, events, waits, cores=CORES)
        await workers.start()
        bench = Bench(workers, events, waits, kill=cluster.kill)
        await bench.until(lambda: workers.load().workers == WORKERS)
        yield bench
        await workers.stop()
