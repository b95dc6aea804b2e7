"""Workers elsewhere: what happens when they die, are others, or are not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from conform.workers import BLOCK, CIRCUIT, HOST, Bench, circuit, geometry_of, rows_of
from quire.base.clock import SystemClock
from quire.base.errors import Bug, Cancelled, EnvironmentProblem, WorkersLost
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.flow.coding import code
from quire.kernels.groth16 import verify
from quire.services.circuit_check import trial_input
from quire.services.workers import circuit_parcel, crew
from quire.services.workers.far import ClusterGone
from quire.services.workers.remote import RETRIES_MAX, RemoteWorkers
from support.prove_kit import FakeProver
from support.thread_cluster import CORES, WORKERS, ThreadCluster

GEOMETRY, COLUMNS = geometry_of(4, 2, 8), range(8)
ROWS = rows_of(GEOMETRY, COLUMNS)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "LOOK_SECONDS", 0.02)


@asynccontextmanager
async def bench_on(cluster: ThreadCluster, cores: int = CORES) -> AsyncIterator[Bench]:
    clock = SystemClock()
    events, waits = EventBus(clock), Waits(clock)
    workers = RemoteWorkers(cluster, events, waits, cores=cores)
    await workers.start()
    try:
        yield Bench(workers, events, waits, kill=cluster.kill)
    finally:
        await workers.stop()


async def all_there(bench: Bench, count: int = WORKERS) -> None:
    await bench.until(lambda: bench.workers.load().workers == count)


async def test_a_task_over_which_every_worker_dies_ends_with_an_error(tmp_path: Path) -> None:
    cluster = ThreadCluster(tmp_path)
    async with bench_on(cluster) as bench:
        cluster.deaths = RETRIES_MAX + 1
        with pytest.raises(WorkersLost, match="4 workers died over it, one after the other"):
            await bench.workers.code(ROWS, GEOMETRY, COLUMNS)
        load = bench.workers.load()
        assert (load.retries, load.died) == (RETRIES_MAX, RETRIES_MAX + 1)
        made = await bench.workers.code(ROWS, GEOMETRY, COLUMNS)
        assert bytes(made.parity) == code(ROWS, GEOMETRY, COLUMNS).parity


async def test_rows_are_shared_once_however_often_a_task_is_begun(tmp_path: Path) -> None:
    cluster = ThreadCluster(tmp_path)
    async with bench_on(cluster) as bench:
        cluster.deaths = 2
        await bench.workers.code(ROWS, GEOMETRY, COLUMNS)
        assert cluster.shared == [ROWS]
        assert bench.workers.load().retries == 2


async def test_tasks_wait_when_all_have_died_and_go_on_with_new_ones(tmp_path: Path) -> None:
    cluster = ThreadCluster(tmp_path)
    async with bench_on(cluster) as bench:
        await all_there(bench)
        cluster.cores = {}
        await bench.until(lambda: bench.workers.load().workers == 0)
        working = asyncio.ensure_future(bench.workers.code(ROWS, GEOMETRY, COLUMNS))
        await bench.until(lambda: bench.workers.load().queued == 1)
        assert bench.workers.load().wanted == 1
        cluster.cores = {"there": 1}
        await working
        assert bench.workers.load().workers == 1


async def test_without_workers_for_long_tasks_wait_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "NONE_SECONDS", 0.1)
    cluster = ThreadCluster(tmp_path)
    async with bench_on(cluster) as bench:
        cluster.cores = {}
        await bench.until(lambda: bench.workers.load().workers == 0)
        for _ in range(2):  # one that waited, one that comes afterwards
            with pytest.raises(WorkersLost, match="there has been no worker"):
                await bench.workers.code(ROWS, GEOMETRY, COLUMNS)


async def test_a_cluster_that_is_gone_is_connected_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "NONE_SECONDS", 0.05)
    cluster = ThreadCluster(tmp_path)
    async with bench_on(cluster) as bench:
        cluster.is_gone = True
        await bench.until(lambda: bench.workers.load().workers == 0)
        assert any(event.kind == "workers.gone" for event in bench.events.history())
        cluster.is_gone = False
        await all_there(bench)
        assert cluster.connections == 2
        await bench.workers.code(ROWS, GEOMETRY, COLUMNS)


async def test_what_was_shared_before_the_connection_was_lost_is_shared_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "NONE_SECONDS", 0.05)
    cluster = ThreadCluster(tmp_path)
    async with bench_on(cluster) as bench:
        cluster.gate = asyncio.Event()
        working = asyncio.ensure_future(bench.workers.code(ROWS, GEOMETRY, COLUMNS))
        await bench.until(lambda: bool(cluster.called))
        cluster.is_gone = True
        await bench.until(lambda: bench.workers.load().workers == 0)
        cluster.gate.set()
        cluster.is_gone = False
        monkeypatch.setattr(crew, "NONE_SECONDS", 60.0)
        await working
        assert cluster.shared == [ROWS, ROWS]


async def test_machines_have_as_many_workers_as_their_cores_allow(tmp_path: Path) -> None:
    cluster = ThreadCluster(tmp_path)
    cluster.cores = {"small": 2, "large": 9}
    async with bench_on(cluster, cores=4) as bench:
        await all_there(bench, 3)
        assert bench.workers.proofs_at_once == 3
        assert bench.workers.batches_at_once == 4
        del cluster.cores["large"]
        await all_there(bench, 1)


async def test_a_worker_with_another_quire_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "START_SECONDS", 0.2)
    cluster = ThreadCluster(tmp_path)
    cluster.version = "0.0.9"
    with pytest.raises(EnvironmentProblem, match=r"gave no worker in .* it has Quire 0\.0\.9"):
        async with bench_on(cluster):
            pass
    assert all(worker.is_dead.is_set() for worker in cluster.workers.values())


async def test_nobody_to_connect_to_is_told_at_the_start(tmp_path: Path) -> None:
    cluster = ThreadCluster(tmp_path)
    cluster.is_gone = True
    with pytest.raises(EnvironmentProblem, match="nobody is there"):
        async with bench_on(cluster):
            pass


async def test_a_cancelled_proof_ends_at_its_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof there would never end by itself."""
    cluster, prover = ThreadCluster(tmp_path), circuit()
    endless = FakeProver()
    async with bench_on(cluster) as bench:
        await all_there(bench)
        for worker in cluster.workers.values():
            monkeypatch.setattr(worker.worker, "_circuit", lambda *_: endless)
        working = asyncio.ensure_future(bench.workers.prove(prover, trial_input(CIRCUIT), HOST))
        await bench.until(lambda: bool(endless.began))
        working.cancel()
        await asyncio.wait([working])
        assert working.cancelled()
        assert len(endless.ended) == 1
        assert bench.idle()


def test_a_proof_that_was_cancelled_before_it_came_is_not_begun(tmp_path: Path) -> None:
    worker = ThreadCluster(tmp_path).make()
    assert not worker.cancel(7)
    parcel = circuit_parcel.CircuitParcel.of(circuit().files)
    outcome = worker.prove(7, None, parcel, trial_input(CIRCUIT), HOST)
    assert isinstance(outcome, Cancelled)


async def test_a_circuit_is_sent_once_to_machines_that_do_not_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = circuit_parcel.opened

    def opened_far(parcel, contents, directory):
        nowhere = replace(parcel.zkey, path=Path("/nowhere/proof_main.zkey"))
        return whole(replace(parcel, zkey=nowhere), contents, directory)

    monkeypatch.setattr("quire.services.workers.worker.opened", opened_far)
    cluster, prover, made = ThreadCluster(tmp_path), circuit(), trial_input(CIRCUIT)
    async with bench_on(cluster) as bench:
        await all_there(bench)
        for _ in range(2 * WORKERS):
            proof, public = await bench.workers.prove(prover, made, HOST)
            assert verify(prover.verifying_key, b"".join(public), proof)
    assert len(cluster.shared) == 1
    assert len(list(tmp_path.iterdir())) == 1


async def test_a_proof_that_does_not_hold_is_not_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, prover, made = ThreadCluster(tmp_path), circuit(), trial_input(CIRCUIT)
    good = prover.begin(made, HOST).run()
    async with bench_on(cluster) as bench:
        await all_there(bench)
        other = (good[0], (*good[1][:-1], bytes(32)))
        for worker in cluster.workers.values():
            monkeypatch.setattr(worker.worker, "prove", lambda *_: other)
        with pytest.raises(Bug, match="does not hold"):
            await bench.workers.prove(prover, made, HOST)


async def test_only_circuits_from_files_travel(tmp_path: Path) -> None:
    async with bench_on(ThreadCluster(tmp_path)) as bench:
        with pytest.raises(Bug, match="opened from files"):
            await bench.workers.prove(FakeProver(), trial_input(CIRCUIT), HOST)


async def test_the_end_of_the_node_ends_what_waits(tmp_path: Path) -> None:
    cluster = ThreadCluster(tmp_path)
    async with bench_on(cluster) as bench:
        cluster.gate = asyncio.Event()
        works = [bench.workers.slot_layers(bytes(32), BLOCK) for _ in range(2 * WORKERS)]
        tasks = [asyncio.ensure_future(work) for work in works]
        await bench.until(lambda: bench.workers.load().queued == WORKERS)
    done, _ = await asyncio.wait(tasks)
    assert all(task.cancelled() or isinstance(task.exception(), WorkersLost) for task in done)
    assert all(worker.is_dead.is_set() for worker in cluster.workers.values())


async def test_a_task_waits_until_the_cluster_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "NONE_SECONDS", 0.2)
    cluster = ThreadCluster(tmp_path)
    whole = cluster.share

    async def share(values):
        if cluster.connections == 1:
            cluster.is_gone = True
            raise ClusterGone("it went away")
        return await whole(values)

    monkeypatch.setattr(cluster, "share", share)
    async with bench_on(cluster) as bench:
        working = asyncio.ensure_future(bench.workers.code(ROWS, GEOMETRY, COLUMNS))
        await bench.until(lambda: bench.workers.load().queued == 1)
        cluster.is_gone = False
        assert bytes((await working).parity) == code(ROWS, GEOMETRY, COLUMNS).parity
        assert cluster.connections == 2
