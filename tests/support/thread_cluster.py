"""A cluster whose workers are threads of this process, so that they can be made to die."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from quire.base.errors import EnvironmentProblem
from quire.services.workers.far import ClusterGone, FarWorker, WorkerDied
from quire.services.workers.worker import About, Worker

WORKERS = 3
CORES = 1


class ThreadWorker:
    """One thread for tasks and one for questions, as a process has."""

    def __init__(self, cluster: ThreadCluster, pid: int) -> None:
        self._cluster = cluster
        self.pid = pid
        self.worker = cluster.make()
        self.threads = ThreadPoolExecutor(2)
        self.is_dead = asyncio.Event()

    async def call(self, method: str, *values: object) -> object:
        loop = asyncio.get_running_loop()
        if method == "about":
            if self.is_dead.is_set():
                raise WorkerDied("it was killed")
            return About(self.pid, self._cluster.version)
        self._cluster.called.append((self.pid, method))
        if self._cluster.deaths and method != "cancel":
            self._cluster.deaths -= 1
            self.is_dead.set()
        elif self._cluster.gate is not None and method != "cancel":
            await self._first(self._cluster.gate.wait())
        if self.is_dead.is_set():
            raise WorkerDied("it was killed")
        work = getattr(self.worker, method)
        return await self._first(loop.run_in_executor(self.threads, work, *values))

    async def _first(self, work: object) -> object:
        """The work's outcome, unless the worker dies before."""
        working = asyncio.ensure_future(work)  # type: ignore[call-overload]
        dying = asyncio.ensure_future(self.is_dead.wait())
        await asyncio.wait([working, dying], return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()
        if not working.done():
            working.cancel()
            raise WorkerDied("it was killed")
        return working.result()

    def dismiss(self) -> None:
        self.is_dead.set()
        self.threads.shutdown(wait=False)


class ThreadCluster:
    """`deaths`: so many of the next tasks kill their worker. `gate`: tasks wait for it."""

    name = "the cluster of threads"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.version = About.this().version
        self.cores = {"here": WORKERS * CORES}
        self.deaths = 0
        self.gate: asyncio.Event | None = None
        self.is_gone = False
        self.connections = 0
        self.workers: dict[int, ThreadWorker] = {}
        self.called: list[tuple[int, str]] = []
        self.shared: list[Sequence[object]] = []
        self._pids = itertools.count(1)

    def make(self) -> Worker:
        return Worker(self.directory)

    async def connect(self) -> None:
        if self.is_gone:
            raise EnvironmentProblem("nobody is there")
        self.connections += 1

    async def disconnect(self) -> None:
        for worker in self.workers.values():
            worker.dismiss()

    async def machines(self) -> dict[str, int]:
        if self.is_gone:
            raise ClusterGone("the cluster of threads does not answer")
        return dict(self.cores)

    async def hire(self, machine: str, cores: int) -> FarWorker:
        pid = next(self._pids)
        worker = self.workers[pid] = ThreadWorker(self, pid)
        return worker

    async def share(self, values: Sequence[object]) -> object:
        self.shared.append(values)
        return values

    def kill(self, pid: int) -> None:
        self.workers[pid].is_dead.set()
