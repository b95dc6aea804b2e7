"""Deadlines of machines: of the chain, of this machine's clock, across progress and restarts."""

from __future__ import annotations

import asyncio

import pytest

from quire.base.machine import Deadline
from quire.sim.clock import SimClock
from quire.store.journal_memory import MemoryJournal
from support.machine_kit import Bench, Go, Wait, Walk, in_virtual_time


def test_deadlines_of_the_chain_and_of_this_machine_come_once_and_are_waits() -> None:
    async def main(clock: SimClock) -> None:
        bench = Bench(clock, MemoryJournal(clock))
        machines = bench.machines()
        chain = Deadline("the expiry", chain_time=clock.now() + 60)
        await machines.begin("chain", Walk("one", deadline=chain))
        await machines.begin("local", Walk("one", deadline=Deadline("a turn", after_seconds=40)))
        (wait,) = bench.waits.of("chain")
        assert wait["reason"] == "walk one: the expiry"
        assert wait["remainingSeconds"] == pytest.approx(60, abs=0.1)
        await asyncio.sleep(50)
        assert len(bench.waits.of("local")) == 1  # it began anew
        await asyncio.sleep(50)
        seen = {key: state.seen for key, state in machines.states().items()}
        assert seen == {"chain": ("timed out",), "local": ("timed out", "timed out")}
        assert bench.waits.of("chain") == []
        await machines.stop()
        assert bench.waits.of() == []

    in_virtual_time(main)


def test_a_state_that_is_left_takes_its_deadline_along() -> None:
    async def main(clock: SimClock) -> None:
        bench = Bench(clock, MemoryJournal(clock))
        machines = bench.machines()
        await machines.begin("a", Walk("one", deadline=Deadline("a turn", after_seconds=40)))
        await asyncio.sleep(30)
        await machines.post("a", Go("two"))
        await asyncio.sleep(30)
        state = machines.state("a")
        assert state is not None
        assert state.seen == ()
        await asyncio.sleep(30)
        await machines.post("a", Go("end"))
        assert bench.waits.of() == []
        await machines.stop()

    in_virtual_time(main)


def test_what_was_done_gives_a_state_new_time() -> None:
    async def main(clock: SimClock) -> None:
        bench = Bench(clock, MemoryJournal(clock))
        machines = bench.machines()
        await machines.begin("a", Walk("one", deadline=Deadline("data", after_seconds=40)))
        for mark in (1, 2, 3):
            await asyncio.sleep(30)
            await machines.post("a", Wait(Deadline("data", after_seconds=40, mark=mark)))
        await asyncio.sleep(30)
        await machines.post("a", Wait(Deadline("more data", after_seconds=40, mark=3)))  # no more
        state = machines.state("a")
        assert state is not None
        assert state.seen == ()
        await asyncio.sleep(15)
        state = machines.state("a")
        assert state is not None
        assert state.seen == ("timed out",)
        await machines.stop()

    in_virtual_time(main)


@pytest.mark.parametrize(("while_running", "seen"), [(True, ()), (False, ("timed out",))])
def test_seconds_of_a_run_do_not_pass_while_the_node_is_stopped(
    while_running: bool, seen: tuple[str, ...]
) -> None:
    async def main(clock: SimClock) -> None:
        bench = Bench(clock, MemoryJournal(clock))
        machines = bench.machines()
        deadline = Deadline("an answer", after_seconds=40, while_running=while_running)
        await machines.begin("a", Walk("one", deadline=deadline))
        await machines.stop()
        bench.journal = bench.journal.reopened()
        await asyncio.sleep(500)
        machines = bench.machines()
        await machines.start()
        await asyncio.sleep(30)
        state = machines.state("a")
        assert state is not None
        assert state.seen == seen
        await asyncio.sleep(15)
        state = machines.state("a")
        assert state is not None
        assert state.seen[:1] == ("timed out",)
        await machines.stop()

    in_virtual_time(main)
