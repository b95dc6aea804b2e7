"""The simulated loop: virtual time, reproducible order, no outside world."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from quire.base.errors import Bug
from quire.sim.clock import CALENDAR_START, SimClock
from quire.sim.executor import SimExecutor
from quire.sim.loop import START_SECONDS, SimLoop, run
from quire.sim.rng import Streams
from quire.sim.tasks import OWNER


def fresh(seed: int = 1) -> SimLoop:
    return SimLoop(Streams(seed).stream("loop"))


def test_a_day_passes_at_once_and_both_clocks_agree() -> None:
    loop = fresh()
    clock = SimClock(loop)

    async def main() -> tuple[float, float]:
        await asyncio.sleep(86_400)
        return clock.monotonic(), clock.now()

    assert run(loop, main()) == (START_SECONDS + 86_400, CALENDAR_START + 86_400)


def test_timers_fire_in_order_of_their_time() -> None:
    fired: list[str] = []

    async def note(after: float, name: str) -> None:
        await asyncio.sleep(after)
        fired.append(name)

    async def main() -> None:
        await asyncio.gather(note(3, "c"), note(1, "a"), note(2, "b"))

    run(fresh(), main())
    assert fired == ["a", "b", "c"]


def test_a_timeout_ends_a_wait_at_its_deadline() -> None:
    loop = fresh()

    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout_at(loop.time() + 30):
                await asyncio.Event().wait()
        return loop.time()

    assert run(loop, main()) == START_SECONDS + 30


def test_a_deadlock_is_an_error_that_names_the_waiting_place() -> None:
    async def waits_for_ever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Bug, match=r"deadlock.*waits_for_ever|deadlock.*Event\.wait"):
        run(fresh(), waits_for_ever())


def test_a_busy_loop_is_an_error() -> None:
    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Bug, match="busy loop"):
        run(fresh(), spin())


def test_a_pool_of_one_thread_keeps_the_order_of_its_jobs() -> None:
    done: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            await asyncio.gather(*(loop.run_in_executor(pool, done.append, n) for n in range(50)))

    run(fresh(), main())
    assert done == list(range(50))


def test_jobs_of_many_lanes_overtake_each_other() -> None:
    done: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pool = SimExecutor(4)
        await asyncio.gather(*(loop.run_in_executor(pool, done.append, n) for n in range(50)))

    run(fresh(), main())
    assert sorted(done) == list(range(50))
    assert done != sorted(done)


def test_a_job_runs_on_the_thread_of_the_loop_and_ends_later() -> None:
    async def main() -> tuple[int, bool]:
        loop = asyncio.get_running_loop()
        before = loop.time()
        ident = await loop.run_in_executor(None, threading.get_ident)
        return ident, loop.time() > before

    assert run(fresh(), main()) == (threading.get_ident(), True)


def test_the_error_of_a_job_reaches_its_caller() -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await asyncio.get_running_loop().run_in_executor(None, lambda: 1 // 0)

    assert run(fresh(), main()) is None


def test_a_job_cancelled_before_its_start_is_never_done() -> None:
    done: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pool = SimExecutor(1)
        first = loop.run_in_executor(pool, done.append, "first")
        second = loop.run_in_executor(pool, done.append, "second")
        second.cancel()
        await first
        await asyncio.sleep(1)

    run(fresh(), main())
    assert done == ["first"]


def test_sockets_and_subprocesses_are_refused() -> None:
    async def dial() -> None:
        with pytest.raises(Bug, match="no real I/O"):
            await asyncio.open_connection("127.0.0.1", 1)
        with pytest.raises(Bug, match="no real I/O"):
            await asyncio.create_subprocess_exec("true")

    assert run(fresh(), dial()) is None


def test_a_thread_that_calls_in_is_refused() -> None:
    refused: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def call_in() -> None:
            try:
                loop.call_soon_threadsafe(print)
            except Bug as problem:
                refused.append(problem.message)

        thread = threading.Thread(target=call_in)
        thread.start()
        thread.join()

    run(fresh(), main())
    assert len(refused) == 1


def test_tasks_inherit_their_owner_and_sets_of_tasks_keep_one_order() -> None:
    loop = fresh()

    async def main() -> list[list[str]]:
        async def sleeper() -> None:
            await asyncio.sleep(1)

        async def node(name: str) -> None:
            OWNER.set(name)
            asyncio.get_running_loop().create_task(sleeper(), name=f"{name}/inner")
            await asyncio.sleep(0)

        await asyncio.gather(node("a"), node("b"))
        names = [[t.get_name() for t in loop.tasks(owner)] for owner in ("a", "b")]
        tasks = [asyncio.create_task(sleeper()) for _ in range(20)]
        assert [t.serial for t in set(tasks)] == [t.serial for t in {*tasks}]  # type: ignore[attr-defined]
        return names

    assert run(loop, main()) == [["a/inner"], ["b/inner"]]


def test_an_exception_that_nobody_retrieves_is_noted() -> None:
    loop = fresh()

    async def main() -> None:
        async def fails() -> None:
            raise ValueError("lost")

        task = asyncio.create_task(fails())
        await asyncio.sleep(1)
        del task

    run(loop, main())
    assert any("lost" in failure for failure in loop.failures)


def test_streams_depend_on_their_name_alone() -> None:
    streams = Streams(7)
    first = streams.stream("disk").random()
    streams.stream("another").random()
    assert streams.stream("disk").random() == first
    assert streams.stream("net").random() != first
    assert Streams(8).stream("disk").random() != first


def test_an_owner_that_has_ended_gets_no_new_tasks() -> None:
    loop = fresh()
    ran: list[str] = []

    async def main() -> None:
        async def step(name: str) -> None:
            ran.append(name)
            await asyncio.sleep(10)
            ran.append(name)

        OWNER.set("node#1")
        old = asyncio.create_task(step("old"))
        await asyncio.sleep(1)
        loop.end_owner("node#1")
        new = asyncio.create_task(step("new"))
        done, _ = await asyncio.wait([old, new])
        assert all(task.cancelled() for task in done)

    loop.run_until_complete(loop.create_task(main()))
    loop.close()
    assert ran == ["old"]
