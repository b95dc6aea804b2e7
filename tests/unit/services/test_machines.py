"""The runner of all machines: journal first, effects of one state only, deadlines, resumption."""

from __future__ import annotations

import asyncio

import pytest

from quire.base.errors import Busy, ChainUnreachable, DiskFull, NotFound, Refused
from quire.base.machine import Deadline
from quire.services.machine_run import encode_run
from quire.services.machines import Machines
from quire.sim.clock import SimClock
from quire.store.journal import Record
from quire.store.journal_memory import MemoryJournal
from support.machine_kit import Bench, Go, Walk, Walker, in_virtual_time

PATIENCE = 1_000.0  # virtual


class Effects:
    """Effects that wait at a gate, and what became of them."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.errors: dict[str, list[Exception]] = {}
        self.outcomes: dict[str, object] = {}

    async def __call__(self, _state: Walk, effect: str) -> object | None:
        self.log.append(f"{effect} begins")
        if self.errors.get(effect):
            raise self.errors[effect].pop(0)
        try:
            if effect in self.gates:
                await self.gates[effect].wait()
        except asyncio.CancelledError:
            self.log.append(f"{effect} stopped")
            raise
        self.log.append(f"{effect} done")
        return self.outcomes.get(effect)


def bench_of(clock: SimClock, **options: object) -> tuple[Bench, Effects]:
    effects = Effects()
    return Bench(clock, MemoryJournal(clock), perform=effects, options=options), effects


async def until(machines: Machines[Walk, object, str], key: str, at: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while (state := machines.state(key)) is None or state.at != at:
            await asyncio.sleep(0.01)


def test_a_state_is_durable_before_its_effects_begin() -> None:
    async def main(clock: SimClock) -> None:
        bench, effects = bench_of(clock)
        order: list[str] = []

        async def before(records) -> None:
            await asyncio.sleep(1)
            order.append(f"wrote {records[0].note}, effects {effects.log}")

        bench.journal.before = before
        machines = bench.machines()
        await machines.start()
        assert await machines.begin("a", Walk("here"))
        state = await machines.post("a", Go("there", ("work",)))
        await asyncio.sleep(0.1)
        assert state.at == "there"
        assert order == ["wrote is at here, effects []", "wrote is at there, effects []"]
        assert effects.log == ["work begins", "work done"]
        assert [note.note for note in await machines.history("a")] == ["is at here", "is at there"]
        kinds = [(event.kind, event.subject) for event in bench.events.history()]
        assert kinds == [("walk.here", "a"), ("walk.there", "a")]
        await machines.stop()

    in_virtual_time(main)


def test_the_effects_of_a_state_are_stopped_before_those_of_the_next_begin() -> None:
    async def main(clock: SimClock) -> None:
        bench, effects = bench_of(clock)
        effects.gates["slow"] = asyncio.Event()
        machines = bench.machines()
        await machines.begin("a", Walk("one"))
        await machines.post("a", Go("two", ("slow",)))
        await asyncio.sleep(1)
        await machines.post("a", Go("two", ("quick",)))  # the same state: it goes on
        await asyncio.sleep(1)
        assert effects.log == ["slow begins", "quick begins", "quick done"]
        await machines.post("a", Go("three", ("next",)))
        await asyncio.sleep(1)
        assert effects.log[3:] == ["slow stopped", "next begins", "next done"]
        await machines.stop()

    in_virtual_time(main)


def test_what_an_effect_says_is_the_next_event() -> None:
    async def main(clock: SimClock) -> None:
        bench, effects = bench_of(clock)
        effects.outcomes["first"] = Go("two", ("second",))
        effects.outcomes["second"] = Go("end")
        machines = bench.machines()
        await machines.begin("a", Walk("one"))
        await machines.post("a", Go("one", ("first",)))
        await until(machines, "a", "end")
        assert bench.waits.of() == []
        await machines.stop()

    in_virtual_time(main)


def test_an_effect_asked_for_while_it_runs_is_performed_once_more() -> None:
    async def main(clock: SimClock) -> None:
        bench, effects = bench_of(clock)
        gate = effects.gates["read"] = asyncio.Event()
        machines = bench.machines()
        await machines.begin("a", Walk("one"))
        for _ in range(3):
            await machines.post("a", Go("one", ("read",)))
            await asyncio.sleep(0.1)
        gate.set()
        await asyncio.sleep(0.1)
        assert effects.log == ["read begins", "read done"] * 2
        await machines.stop()

    in_virtual_time(main)


def test_what_can_be_tried_again_is_and_the_rest_is_told_to_the_machine() -> None:
    async def main(clock: SimClock) -> None:
        bench, effects = bench_of(clock)
        effects.errors["work"] = [ChainUnreachable("no answer")] * 3 + [Refused("not you")]
        machines = bench.machines()
        await machines.begin("a", Walk("one"))
        began = clock.monotonic()
        await machines.post("a", Go("one", ("work",)))
        await asyncio.sleep(0.1)
        trouble = machines.trouble("a")
        assert trouble is not None
        assert trouble.message == "no answer"
        await asyncio.sleep(10)
        assert effects.log == ["work begins"] * 4
        assert clock.monotonic() - began > 0.5 + 1 + 2
        state = machines.state("a")
        assert state is not None
        assert state.seen == ("work: not you",)
        told = [event.message for event in bench.events.history() if event.kind == "walk.retry"]
        assert told == ["no answer; it is tried again"]
        await machines.stop()

    in_virtual_time(main)


def test_a_mistake_in_an_effect_is_told_to_the_machine() -> None:
    async def main(clock: SimClock) -> None:
        bench, effects = bench_of(clock)
        effects.errors["work"] = [ZeroDivisionError("oops")]
        machines = bench.machines()
        await machines.begin("a", Walk("one"))
        await machines.post("a", Go("one", ("work",)))
        await asyncio.sleep(1)
        state = machines.state("a")
        assert state is not None
        assert "ended with ZeroDivisionError" in state.seen[0]
        await machines.stop()

    in_virtual_time(main)


def test_after_a_restart_machines_go_on_and_time_has_passed() -> None:
    async def main(clock: SimClock) -> None:
        bench, effects = bench_of(clock)
        machines = bench.machines()
        await machines.begin("a", Walk("one", deadline=Deadline("a turn", after_seconds=40)))
        await machines.begin("b", Walk("end"))
        await machines.stop()
        bench.journal = bench.journal.reopened()
        bench.resumed = ("go on",)
        await asyncio.sleep(30)
        machines = bench.machines()
        await machines.start()
        await asyncio.sleep(0.1)
        assert effects.log[-2:] == ["go on begins", "go on done"]
        assert effects.log.count("go on begins") == 1  # what has ended does nothing
        await asyncio.sleep(15)
        state = machines.state("a")
        assert state is not None
        assert state.seen == ("timed out",)
        await machines.stop()

    in_virtual_time(main)


def test_a_record_that_cannot_be_read_is_told_and_kept() -> None:
    async def main(clock: SimClock) -> None:
        bench, _ = bench_of(clock)
        good = encode_run(clock.now(), Walker().encode(Walk("one")))
        broken = {"short": b"", "format": b"\xff" + good[1:], "state": good + b"!)"}
        await bench.journal.write([Record("walk", key, value) for key, value in broken.items()])
        await bench.journal.write([Record("walk", "good", good)])
        machines = bench.machines()
        await machines.start()
        assert list(machines.states()) == ["good"]
        told = [e.subject for e in bench.events.history() if e.kind == "walk.unreadable"]
        assert told == list(broken)
        assert len(await bench.journal.read("walk")) == 4
        await machines.stop()

    in_virtual_time(main)


def test_a_full_disk_is_an_error_for_who_asks_and_outcomes_wait_for_space() -> None:
    async def main(clock: SimClock) -> None:
        bench, effects = bench_of(clock)
        effects.gates["work"] = asyncio.Event()
        effects.outcomes["work"] = Go("end")
        machines = bench.machines()
        await machines.begin("a", Walk("one"))
        await machines.post("a", Go("one", ("work",)))

        async def full(_) -> None:
            raise DiskFull("no space")

        go_on, bench.journal.before = bench.journal.before, full
        with pytest.raises(DiskFull):
            await machines.post("a", Go("two"))
        with pytest.raises(DiskFull):
            await machines.begin("b", Walk("one"))
        assert [(key, state.at) for key, state in machines.states().items()] == [("a", "one")]
        effects.gates["work"].set()
        await asyncio.sleep(5)
        bench.journal.before = go_on
        await until(machines, "a", "end")
        await machines.stop()

    in_virtual_time(main)


def test_who_asks_may_go_away_and_the_step_is_done_all_the_same() -> None:
    async def main(clock: SimClock) -> None:
        bench, effects = bench_of(clock)
        machines = bench.machines()
        await machines.begin("a", Walk("one"))

        async def slow(_) -> None:
            await asyncio.sleep(1)

        bench.journal.before = slow
        asking = asyncio.create_task(machines.post("a", Go("two", ("work",))))
        await asyncio.sleep(0.5)
        asking.cancel()
        await asyncio.sleep(1)
        assert (machines.state("a"), effects.log[0]) == (Walk("two"), "work begins")
        await machines.stop()

    in_virtual_time(main)


def test_one_machine_a_key_until_it_has_ended_and_the_oldest_are_forgotten() -> None:
    async def main(clock: SimClock) -> None:
        bench, _ = bench_of(clock, kept_ended=2)
        machines = bench.machines()
        with pytest.raises(NotFound):
            await machines.post("a", Go("end"))
        assert await machines.begin("a", Walk("one"))
        assert not await machines.begin("a", Walk("two"))
        await machines.post("a", Go("end"))
        assert await machines.begin("a", Walk("two"))
        for key in "bcd":
            await machines.begin(key, Walk("one"))
            await machines.post(key, Go("end"))
        assert list(machines.states()) == ["a", "c", "d"]
        assert list(await bench.journal.read("walk")) == ["a", "c", "d"]
        await machines.stop()
        with pytest.raises(Busy):
            await machines.post("a", Go("end"))

    in_virtual_time(main)


def test_what_belongs_to_a_step_is_written_with_it() -> None:
    async def main(clock: SimClock) -> None:
        def alongside(key: str, before: Walk | None, state: Walk) -> list[Record]:
            return [Record("place", key, f"{before and before.at}-{state.at}".encode())]

        bench, _ = bench_of(clock, alongside=alongside)
        machines = bench.machines()
        await machines.begin("a", Walk("one"))
        assert await bench.journal.read("place") == {"a": b"None-one"}
        await machines.post("a", Go("two"))
        assert await bench.journal.read("place") == {"a": b"one-two"}
        await machines.stop()

    in_virtual_time(main)


def test_machines_of_another_place_are_left_alone() -> None:
    async def main(clock: SimClock) -> None:
        bench, _ = bench_of(clock, place="here")
        machines = bench.machines()
        await machines.begin("a", Walk("one"))
        await machines.stop()
        for place, found in (("there", []), ("here", ["a"])):
            bench.options["place"] = place
            machines = bench.machines()
            await machines.start()
            assert list(machines.states()) == found
            await machines.stop()
        assert len(await machines.history("a")) == 1

    in_virtual_time(main)


def test_listeners_hear_of_each_change() -> None:
    async def main(clock: SimClock) -> None:
        bench, _ = bench_of(clock)
        machines = bench.machines()
        heard: list[tuple[str, str | None, str]] = []
        stop = machines.listen(lambda k, b, s: heard.append((k, b.at if b else None, s.at)))
        await machines.begin("a", Walk("one"))
        await machines.post("a", Go("two"))
        await machines.post("a", Go("two"))
        stop()
        await machines.post("a", Go("three"))
        assert heard == [("a", None, "one"), ("a", "one", "two")]
        await machines.stop()

    in_virtual_time(main)
