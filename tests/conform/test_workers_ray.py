"""Workers on Ray conform, and a job of real size outlives one of them.

All is one test, since a cluster takes its time to start: however the tests are shared out among
processes, there is one cluster.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import os
import random
import signal
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from conform.workers import Bench, WorkersConformance
from quire.aggregation.order import At
from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.services.ordering.encoding import EncodeTerms
from quire.services.workers.ray import RayCluster
from quire.services.workers.remote import RemoteWorkers
from quire.store.dataset import Dataset
from quire.store.store import Store
from support.encoding_nodes import town
from support.protect_kit import MemorySlots, protections
from support.ray_cluster import ray_cluster
from support.store_kit import put, store_in

CORES = 3  # of the cluster: one for each worker
BLOCK_BYTES = 65_536
DATA_BYTES = 64 << 20


@pytest.mark.timeout(300)  # a busy machine needs a minute to start Ray
@pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray is not installed: there is no wheel for this platform"
)
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
            await protect_while_one_is_killed(bench, tmp_path)
            await code_for_a_customer_while_one_is_killed(bench, tmp_path)
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


async def protect_while_one_is_killed(bench: Bench, directory: Path) -> None:
    """The same dataset and slot trees as without Ray; one retry is counted."""
    data = random.Random(8).randbytes(DATA_BYTES)
    here, there = MemorySlots(), MemorySlots()
    async with store_in(directory / "here") as store:
        expected = await protected(store, data, slots=here)
    before = bench.workers.load()
    async with store_in(directory / "there") as store:
        working = asyncio.ensure_future(protected(store, data, slots=there, workers=bench.workers))
        await bench.until(lambda: bench.workers.load().busy == CORES)
        assert bench.kill is not None
        bench.kill(bench.pids()[0])
        made = await working
    after = bench.workers.load()
    assert made.manifest_bytes == expected.manifest_bytes
    assert there.trees == here.trees
    assert (after.retries - before.retries, after.died - before.died) == (1, 1)


async def protected(store: Store, data: bytes, **options: Any) -> Dataset:
    source = await put(store, data, block_size=BLOCK_BYTES)
    jobs = protections(store, **options)
    job = await jobs.start(source.manifest_cid, 4, 2)
    return await jobs.wait(job)


async def code_for_a_customer_while_one_is_killed(bench: Bench, directory: Path) -> None:
    """The order is checked and paid, once; both its parts."""
    async with town(directory / "town") as it:
        (coder,) = it.coders
        jobs = coder.node.protections
        jobs._ports = replace(jobs._ports, workers=bench.workers)
        cid = await it.dataset(DATA_BYTES // 2, block_size=BLOCK_BYTES)
        before = bench.workers.load()
        working = asyncio.ensure_future(it.encoding.encode(cid, EncodeTerms(4, 2)))
        await bench.until(lambda: bench.workers.load().busy == CORES)
        assert bench.kill is not None
        bench.kill(bench.pids()[0])
        encoded = await working
        after = bench.workers.load()
        assert (after.retries - before.retries, after.died - before.died) == (1, 1)
        (order,) = it.orders.all()
        await it.until(order.key, At.SERVING)
        it.encoding.hosts_have(encoded)
        ended = await it.until_told(order.key)
        assert (ended.at, ended.paid) == (At.SETTLED, 2)
        assert it.promised(coder) == ended.cost == ended.offer.offer.price
        due = coder.retail.income.due(it.client.retail.payments.payer)
        assert due == 0  # it was billed what was paid, not more
