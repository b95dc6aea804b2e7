"""What all `Workers` must do. Subclass and give a `bench` fixture: workers that have started."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from quire.base.errors import InputError, QuireError
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.dataset.circuit import CircuitParameters
from quire.dataset.geometry import Geometry
from quire.dataset.slot_tree import slot_layers
from quire.dataset.storage_proof import Claim
from quire.flow.coding import code
from quire.flow.workers import Workers
from quire.kernels.groth16 import verify
from quire.services.circuit_check import trial_input
from quire.services.circuit_files import CircuitFiles
from quire.services.circuit_setup import set_up_circuit
from quire.services.circuits import LoadedCircuit
from quire.services.workers.places import SUBJECT

BLOCK = 4096
HOST = bytes(range(20))
# Some tenths of a second a proof: long enough to be cancelled on its way.
CIRCUIT = CircuitParameters(samples=3, max_slot_depth=6, max_dataset_depth=3, block_depth=1)


@dataclass
class Bench:
    """Workers, and how one of them is killed by its number; None where they cannot die."""

    workers: Workers
    events: EventBus
    waits: Waits
    kill: Callable[[int], None] | None = None

    def pids(self) -> list[int]:
        """Of the workers that live."""
        died = self.facts("workers.died")
        return [pid for pid in self.facts("workers.joined") if pid not in died]

    def facts(self, kind: str) -> list[int]:
        return [int(str(e.facts["pid"])) for e in self.events.history() if e.kind == kind]

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not is_so():
                await asyncio.sleep(0.005)

    def idle(self) -> bool:
        load = self.workers.load()
        return (load.busy, load.queued) == (0, 0)


def geometry_of(k: int, m: int, columns: int, block_size: int = BLOCK) -> Geometry:
    return Geometry(k=k, m=m, block_size=block_size, original_blocks=k * columns)


def rows_of(geometry: Geometry, columns: range, seed: int = 0) -> list[bytes]:
    rng = random.Random(seed)
    return [rng.randbytes(len(columns) * geometry.block_size) for _ in range(geometry.k)]


@cache
def _keys() -> TemporaryDirectory[str]:
    directory = TemporaryDirectory(prefix="quire-keys-")
    set_up_circuit(Path(directory.name), CIRCUIT, "tests", lambda *_: None)
    return directory


def circuit() -> LoadedCircuit:
    """Opened; its key is made once."""
    place = Path(_keys().name) / CIRCUIT.id
    return LoadedCircuit.open(CircuitFiles.in_directory(CIRCUIT, place), None)


def complaint(error: QuireError) -> tuple[type, str]:
    return type(error), error.message


class WorkersConformance:
    """No test says where the work is done: the results say nothing of it either."""

    @pytest.mark.parametrize(("k", "m", "count"), [(2, 1, 1), (4, 2, 7), (5, 5, 3), (20, 7, 2)])
    async def test_columns_are_coded_to_the_byte_as_by_the_function(
        self, bench: Bench, k: int, m: int, count: int
    ) -> None:
        geometry, columns = geometry_of(k, m, 40), range(11, 11 + count)
        rows = rows_of(geometry, columns, seed=k)
        expected = code(rows, geometry, columns)
        for given in (rows, [memoryview(row) for row in rows]):
            made = await bench.workers.code(given, geometry, columns)
            assert replace(made, parity=bytes(made.parity)) == expected
            assert type(made.digests) is type(made.slots) is bytes

    @pytest.mark.parametrize("blocks", [1, 5, 64])
    async def test_slot_trees_are_built_to_the_byte_as_by_the_function(
        self, bench: Bench, blocks: int
    ) -> None:
        digests = b"".join(n.to_bytes(32, "little") for n in range(blocks))
        made = await bench.workers.slot_layers(digests, BLOCK)
        assert bytes(made) == slot_layers(digests, BLOCK)

    async def test_proofs_hold_and_say_what_was_asked(self, bench: Bench) -> None:
        prover, made = circuit(), trial_input(CIRCUIT)
        claim = Claim(made.entropy, made.dataset_root, made.slot_index, HOST)
        proofs = [bench.workers.prove(prover, made, HOST) for _ in range(3)]
        for proof, public in await asyncio.gather(*proofs):
            assert public == claim.public()
            assert verify(prover.verifying_key, b"".join(public), proof)

    async def test_bad_input_is_refused_in_the_same_words(self, bench: Bench) -> None:
        geometry, columns = geometry_of(4, 2, 8), range(2)
        rows = rows_of(geometry, columns)
        for bad in (rows[:1], [*rows[:3], rows[3][:-64]], [row[:100] for row in rows]):
            with pytest.raises(InputError) as expected:
                code(bad, geometry, columns)
            with pytest.raises(InputError) as refused:
                await bench.workers.code(bad, geometry, columns)
            assert complaint(refused.value) == complaint(expected.value)
        with pytest.raises(InputError) as expected:
            slot_layers(bytes(33), BLOCK)
        with pytest.raises(InputError) as refused:
            await bench.workers.slot_layers(bytes(33), BLOCK)
        assert complaint(refused.value) == complaint(expected.value)

    async def test_a_witness_that_does_not_fit_is_refused_in_the_same_words(
        self, bench: Bench
    ) -> None:
        prover, good = circuit(), trial_input(CIRCUIT)
        for bad in (replace(good, slot_root=bytes(32)), replace(good, samples=())):
            with pytest.raises(QuireError) as expected:
                prover.begin(bad, HOST).run()
            with pytest.raises(QuireError) as refused:
                await bench.workers.prove(prover, bad, HOST)
            assert complaint(refused.value) == complaint(expected.value)
        assert bench.idle()

    async def test_more_tasks_than_workers_wait_with_a_reason_and_all_are_done(
        self, bench: Bench
    ) -> None:
        geometry = geometry_of(4, 2, 400)
        batches = [range(n, n + 8) for n in range(0, 320, 8)]
        rows = {batch.start: rows_of(geometry, batch, batch.start) for batch in batches}
        tasks = [
            asyncio.ensure_future(bench.workers.code(rows[batch.start], geometry, batch))
            for batch in batches
        ]
        await asyncio.sleep(0)
        load = bench.workers.load()
        assert load.busy + load.queued == load.wanted == len(batches)
        assert load.busy <= load.workers
        assert load.queued == len(bench.waits.of(SUBJECT)) > 0
        assert "waits for a worker" in str(bench.waits.of(SUBJECT)[0]["reason"])
        for batch, task in zip(batches, tasks, strict=True):
            made = await task
            expected = code(rows[batch.start], geometry, batch)
            assert (bytes(made.parity), made.slots) == (expected.parity, expected.slots)
        assert bench.idle()
        assert bench.waits.of(SUBJECT) == []

    async def test_who_is_cancelled_leaves_no_task_behind(self, bench: Bench) -> None:
        prover, made = circuit(), trial_input(CIRCUIT)
        geometry, columns = geometry_of(4, 2, 400), range(300)
        rows = rows_of(geometry, columns)
        works = [bench.workers.prove(prover, made, HOST) for _ in range(6)]
        tasks = [asyncio.ensure_future(work) for work in works]
        tasks += [
            asyncio.ensure_future(bench.workers.code(rows, geometry, columns)) for _ in range(9)
        ]
        await bench.until(lambda: bench.workers.load().busy > 0)
        for task in tasks:
            task.cancel()
        done, _ = await asyncio.wait(tasks)
        assert all(task.cancelled() for task in done)
        await bench.until(bench.idle)
        assert bench.waits.of(SUBJECT) == []
        proof, public = await bench.workers.prove(prover, made, HOST)
        assert verify(prover.verifying_key, b"".join(public), proof)

    async def test_a_worker_that_dies_with_a_task_is_replaced_and_the_task_done(
        self, bench: Bench
    ) -> None:
        if bench.kill is None:
            return  # threads of this process die with it
        prover, made = circuit(), trial_input(CIRCUIT)
        before, pids = bench.workers.load(), bench.pids()
        proofs = [
            asyncio.ensure_future(bench.workers.prove(prover, made, HOST))
            for _ in range(2 * len(pids))
        ]
        await bench.until(lambda: bench.workers.load().busy == len(pids))
        bench.kill(pids[0])
        for proof, public in await asyncio.gather(*proofs):
            assert verify(prover.verifying_key, b"".join(public), proof)
        await bench.until(lambda: bench.workers.load().workers == before.workers)
        after = bench.workers.load()
        assert (after.retries - before.retries, after.died - before.died) == (1, 1)
        assert pids[0] not in bench.pids()
        assert any(event.kind == "workers.retried" for event in bench.events.history())
