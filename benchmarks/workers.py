"""Coding and proving on one, two and three workers of Ray, beside the threads of this process.

Every worker has one core to itself as far as Ray is concerned; where the machine has fewer cores
than workers, they share them, and what is seen is what the way to them costs.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from benchmarks.report import Row, skipped
from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.dataset.circuit import CircuitParameters
from quire.dataset.geometry import Geometry
from quire.flow.coding import batches
from quire.flow.workers import Workers
from quire.services.circuit_check import trial_input
from quire.services.circuit_files import CircuitFiles
from quire.services.circuit_setup import DEFAULT_SEED, set_up_circuit
from quire.services.circuits import LoadedCircuit
from quire.services.workers.local import LocalWorkers
from quire.services.workers.ray import RayCluster
from quire.services.workers.remote import RemoteWorkers
from support.ray_cluster import ray_cluster

K, M, BLOCK_BYTES = 4, 2, 65_536
BATCHES = 36
PROOFS = 9
WORKERS = (1, 2, 3)
HOST = bytes(20)
NAME = "coding and proving on workers of Ray"


def workers(directory: Path) -> list[Row]:
    """Three rows for each of two kinds of work, with the same work by threads as their limit."""
    if find_spec("ray") is None:
        return [skipped(NAME, "Ray is not installed")]
    parameters = CircuitParameters()
    set_up_circuit(directory, parameters, DEFAULT_SEED, lambda *_: None)
    files = CircuitFiles.in_directory(parameters, directory / parameters.id)
    circuit = LoadedCircuit.open(files, None)
    with ray_cluster(max(WORKERS)) as address:
        return asyncio.run(_measure(circuit, address))


async def _measure(circuit: LoadedCircuit, address: str) -> list[Row]:
    rows: list[Row] = []
    for count in WORKERS:
        async with _threads() as here:  # each time anew: what else runs changes
            limits = await _coded(here), await _proved(here, circuit)
        async with _ray(address, count) as there:
            found = await _coded(there), await _proved(there, circuit)
        name = f"{count} worker{'s' if count > 1 else ''} of Ray"
        works = (f"coding {K} + {M}", "MB/s"), ("proofs of 5 samples", "a minute")
        for (work, unit), (rate, cpu), (limit, limit_cpu) in zip(works, found, limits, strict=True):
            detail = f"{cpu:.2f} CPU s, all processes; threads {limit_cpu:.2f}"
            rows.append(Row(f"{work}, {name}", rate, unit, limit, "threads", detail=detail))
    return sorted(rows, key=lambda row: row.name)


async def _coded(workers: Workers) -> tuple[float, float]:
    """Megabytes of data a second, rows from memory, as many batches under way as is usual; CPU
    seconds of all."""
    geometry = Geometry(k=K, m=M, block_size=BLOCK_BYTES, original_blocks=K * 10_000)
    columns = [each for each, _ in zip(batches(geometry, 0), range(BATCHES), strict=False)]
    size = len(columns[0]) * BLOCK_BYTES
    rows = [random.Random(row).randbytes(size) for row in range(K)]

    async def code(at: int) -> None:
        await workers.code(rows, geometry, columns[at])

    seconds, cpu = await _timed(code, BATCHES, workers.batches_at_once)
    return BATCHES * K * size / 1e6 / seconds, cpu


async def _proved(workers: Workers, circuit: LoadedCircuit) -> tuple[float, float]:
    """Proofs a minute, and CPU seconds of all."""
    made = trial_input(circuit.parameters)

    async def prove(_: int) -> None:
        await workers.prove(circuit, made, HOST)

    seconds, cpu = await _timed(prove, PROOFS, workers.proofs_at_once)
    return 60 * PROOFS / seconds, cpu


async def _timed(
    work: Callable[[int], Awaitable[None]], count: int, at_once: int
) -> tuple[float, float]:
    """Seconds for all, and CPU seconds; every worker has done one before, so that all is loaded."""
    await asyncio.gather(*(work(0) for _ in range(at_once)))
    turns = asyncio.Semaphore(at_once)

    async def one(at: int) -> None:
        async with turns:
            await work(at)

    began, before = time.perf_counter(), _cpu_ticks()
    await asyncio.gather(*(one(at) for at in range(count)))
    seconds, after = time.perf_counter() - began, _cpu_ticks()
    ticks = sum(spent - before.get(pid, 0) for pid, spent in after.items())
    return seconds, ticks / os.sysconf("SC_CLK_TCK")


def _cpu_ticks() -> dict[int, int]:
    """By process: this one and all below it, which are the bridge, Ray and its workers."""
    parents, spent = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue  # it has ended meanwhile
        values = text.rpartition(")")[2].split()
        pid = int(text.split()[0])
        parents[pid], spent[pid] = int(values[1]), int(values[11]) + int(values[12])
    ours = [os.getpid()]
    for pid in ours:
        ours += [child for child, parent in parents.items() if parent == pid]
    return {pid: spent[pid] for pid in ours}


@asynccontextmanager
async def _threads() -> AsyncIterator[Workers]:
    found = LocalWorkers(Waits(SystemClock()))
    await found.start()
    yield found
    await found.stop()


@asynccontextmanager
async def _ray(address: str, count: int) -> AsyncIterator[Workers]:
    clock = SystemClock()
    found = RemoteWorkers(_Part(address, count), EventBus(clock), Waits(clock), cores=1)
    await found.start()
    while found.load().workers < count:
        await asyncio.sleep(0.1)
    yield found
    await found.stop()


class _Part(RayCluster):
    """As many cores of a cluster as are wanted."""

    def __init__(self, address: str, cores: int) -> None:
        super().__init__(address)
        self._cores = cores

    async def machines(self) -> dict[str, int]:
        return dict.fromkeys(await super().machines(), self._cores)
