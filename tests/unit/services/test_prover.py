"""Proofs are made the most urgent first, never on the loop, and end with a reason."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from quire.base.clock import SystemClock
from quire.base.errors import Bug, Busy, DeadlineExceeded, NotFound, ProofInvalid
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.services import prover as prover_module
from quire.services.prover import Proofs
from quire.services.workers.local import LocalWorkers
from support.prove_kit import FakeProver, Protected, protected_in


@dataclass
class Bench:
    held: Protected
    proofs: Proofs
    events: EventBus
    waits: Waits
    clock: SystemClock
    prover: FakeProver

    def ask(self, number: int = 0, seconds: float = 60.0, slot: int = 0):
        """Ask with an entropy of its own."""
        ask = self.held.ask(slot, number.to_bytes(32, "little"))
        return self.proofs.start(ask, self.prover, self.clock.monotonic() + seconds)

    async def begun(self, count: int) -> None:
        """Until so many proofs have begun to be computed."""
        async with asyncio.timeout(20):
            while len(self.prover.began) < count:
                await asyncio.sleep(0.002)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events.history()]


@asynccontextmanager
async def bench_in(directory, at_once: int = 1):
    clock = SystemClock()
    events, waits = EventBus(clock), Waits(clock)
    workers = LocalWorkers(waits, proofs_at_once=at_once)
    async with protected_in(directory) as held:
        proofs = Proofs(held.ports, events, waits, clock, random.Random(1), workers)
        try:
            yield Bench(held, proofs, events, waits, clock, FakeProver())
        finally:
            await proofs.stop()
            await workers.stop()


async def test_a_proof_is_made_in_a_thread_of_its_own_and_told(tmp_path) -> None:
    async with bench_in(tmp_path) as bench:
        bench.prover.gate.set()
        job = bench.ask(7, slot=4)
        await bench.proofs.wait(job)
        assert (job.state, job.error, job.proof.claim) == ("complete", None, job.ask.claim)
        assert job.seconds > 0
        assert bench.prover.threads[0].startswith("quire-prove")
        assert bench.kinds() == ["prove.asked", "prove.started", "prove.proving", "prove.complete"]
        assert all(event.facts["proof"] == job.id for event in bench.events.history())
        assert bench.waits.of() == []
        assert bench.proofs.find(job.id) is job
        assert bench.proofs.counts.complete == 1


async def test_the_most_urgent_goes_first_whatever_came_first(tmp_path) -> None:
    async with bench_in(tmp_path) as bench:
        first = bench.ask(0, seconds=900)
        await bench.begun(1)
        jobs = [bench.ask(n, seconds=s) for n, s in ((1, 500), (2, 100), (3, 300), (4, 100.5))]
        bench.prover.gate.set()
        for job in (first, *jobs):
            await bench.proofs.wait(job)
        made = [int.from_bytes(each.entropy, "little") for each in bench.prover.began]
        assert made == [0, 2, 4, 3, 1]


async def test_those_that_wait_know_how_many_are_before_them(tmp_path) -> None:
    async with bench_in(tmp_path) as bench:
        bench.ask(0)
        await bench.begun(1)
        late, soon = bench.ask(1, seconds=500), bench.ask(2, seconds=100)
        assert bench.proofs.waiting_count == 2
        assert bench.proofs.running_count == 1
        assert (soon.reason[-13], late.reason[-13]) == ("2", "3")
        told = [wait["reason"] for wait in bench.waits.of(late.subject)]
        assert told[1] == f"proof of slot 0: {late.reason}"
        assert await bench.proofs.cancel(soon.id)
        assert late.reason[-13] == "2"


async def test_no_more_than_its_places_run_at_once(tmp_path) -> None:
    async with bench_in(tmp_path, at_once=2) as bench:
        jobs = [bench.ask(n) for n in range(6)]
        await bench.begun(2)
        assert [job.state for job in jobs] == ["proving"] * 2 + ["waiting"] * 4
        bench.prover.gate.set()
        for job in jobs:
            await bench.proofs.wait(job)
        assert {job.state for job in jobs} == {"complete"}


async def test_a_question_that_is_being_answered_is_not_answered_twice(tmp_path) -> None:
    async with bench_in(tmp_path) as bench:
        job = bench.ask(1, seconds=60)
        assert bench.ask(1, seconds=90) is job
        sooner = bench.ask(1, seconds=30)
        assert sooner is not job  # it cannot wait so long
        bench.prover.gate.set()
        await bench.proofs.wait(sooner)
        await bench.proofs.wait(job)
        assert bench.ask(1, seconds=5) in (job, sooner)
        assert bench.ask(1, slot=1) is not job
        assert bench.proofs.of(job.ask.dataset.manifest_cid, 0) == [sooner, job]


async def test_a_deadline_that_has_passed_is_refused(tmp_path) -> None:
    async with bench_in(tmp_path) as bench:
        for seconds in (0, -5):
            with pytest.raises(DeadlineExceeded):
                bench.ask(1, seconds=seconds)
        assert bench.proofs.all() == []


async def test_a_waiting_proof_ends_at_its_deadline_with_what_it_waited_for(tmp_path) -> None:
    async with bench_in(tmp_path) as bench:
        bench.ask(0)
        await bench.begun(1)
        job = bench.ask(1, seconds=0.05)
        await bench.proofs.wait(job)
        assert (job.state, type(job.error)) == ("failed", DeadlineExceeded)
        assert "waits for its turn, number 2" in job.error.message
        assert bench.proofs.counts.late == 1
        assert bench.proofs.waiting_count == 0


async def test_a_running_proof_is_stopped_at_its_deadline(tmp_path) -> None:
    async with bench_in(tmp_path) as bench:
        job = bench.ask(0, seconds=0.3)
        after = bench.ask(1)
        await bench.proofs.wait(job)
        assert "the proof is computed" in job.error.message
        assert len(bench.prover.ended) == 1  # the thread has let go
        bench.prover.gate.set()
        await bench.proofs.wait(after)
        assert after.state == "complete"


async def test_waiting_and_running_proofs_can_be_cancelled(tmp_path) -> None:
    async with bench_in(tmp_path) as bench:
        running, waiting = bench.ask(0), bench.ask(1)
        await bench.begun(1)
        for job in (waiting, running):
            assert await bench.proofs.cancel(job.id)
            assert job.state == "cancelled"
            assert not await bench.proofs.cancel(job.id)
        assert len(bench.prover.ended) == 1
        assert bench.kinds().count("prove.cancelled") == 2
        assert bench.waits.of() == []
        assert bench.proofs.counts.cancelled == 2


async def test_a_proof_that_is_cancelled_before_its_task_began_is_over(tmp_path) -> None:
    async with bench_in(tmp_path) as bench:
        job = bench.ask(0)
        assert await bench.proofs.cancel(job.id)
        assert (job.state, bench.proofs.running_count) == ("cancelled", 0)


async def test_what_a_prover_refuses_is_told_and_the_next_goes_on(tmp_path) -> None:
    async with bench_in(tmp_path) as bench:
        bench.prover.problem = ProofInvalid("the proof does not verify")
        bench.prover.gate.set()
        bad = bench.ask(0)
        await bench.proofs.wait(bad)
        assert (bad.state, bad.error.message) == ("failed", "the proof does not verify")
        bench.prover.problem = RuntimeError("a defect")
        bad = bench.ask(1)
        await bench.proofs.wait(bad)
        assert (bad.state, type(bad.error)) == ("failed", Bug)
        bench.prover.problem = None
        good = bench.ask(2)
        await bench.proofs.wait(good)
        assert good.state == "complete"
        assert bench.proofs.counts.failed == 2


async def test_the_queue_is_bounded_and_what_ended_is_forgotten(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(prover_module, "WAITING_MAX", 3)
    monkeypatch.setattr(prover_module, "KEPT_JOBS", 2)
    async with bench_in(tmp_path) as bench:
        jobs = [bench.ask(n) for n in range(4)]
        with pytest.raises(Busy):
            bench.ask(9)
        await bench.proofs.cancel(jobs[3].id)
        jobs.append(bench.ask(9))
        bench.prover.gate.set()
        for job in jobs:
            await bench.proofs.wait(job)
        bench.ask(10)
        with pytest.raises(NotFound):
            bench.proofs.find(jobs[0].id)
        assert len(bench.proofs.all()) == 3


async def test_a_stopping_prover_ends_everything_and_takes_nothing(tmp_path) -> None:
    async with bench_in(tmp_path) as bench:
        jobs = [bench.ask(n) for n in range(3)]
        await bench.begun(1)
        await bench.proofs.stop()
        assert {job.state for job in jobs} == {"cancelled"}
        with pytest.raises(Busy):
            bench.ask(5)


async def test_sixty_four_proofs_at_once_are_all_made_by_deadline(tmp_path) -> None:
    async with bench_in(tmp_path) as bench:
        first = bench.ask(999, seconds=1)
        await bench.begun(1)
        order = random.Random(3).sample(range(64), 64)
        jobs = [bench.ask(n, seconds=100 + n) for n in order]
        bench.prover.gate.set()
        for job in (first, *jobs):
            await bench.proofs.wait(job)
        made = [int.from_bytes(each.entropy, "little") for each in bench.prover.began]
        assert made == [999, *range(64)]
        assert bench.proofs.counts.complete == 65
