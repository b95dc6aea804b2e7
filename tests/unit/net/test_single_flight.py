"""Callers of one key share one task."""

from __future__ import annotations

import asyncio

import pytest

from quire.net.single_flight import SingleFlight


async def test_callers_share_one_run_and_its_result() -> None:
    flight: SingleFlight[str, int] = SingleFlight()
    runs, go = [], asyncio.Event()

    async def work() -> int:
        runs.append(1)
        await go.wait()
        return 7

    callers = [asyncio.ensure_future(flight.run("k", work)) for _ in range(3)]
    await asyncio.sleep(0)
    callers[0].cancel()
    await asyncio.sleep(0)
    go.set()
    assert await callers[1] == await callers[2] == 7
    assert runs == [1]
    assert len(flight) == 0


async def test_the_last_caller_that_leaves_cancels_the_run() -> None:
    flight: SingleFlight[str, int] = SingleFlight()
    ended = asyncio.Event()

    async def work() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 0

    callers = [asyncio.ensure_future(flight.run("k", work)) for _ in range(2)]
    await asyncio.sleep(0)
    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers)
    await asyncio.wait_for(ended.wait(), 1)
    assert len(flight) == 0


async def test_an_error_reaches_every_caller_and_the_next_run_is_new() -> None:
    flight: SingleFlight[str, int] = SingleFlight()

    async def fail() -> int:
        await asyncio.sleep(0)
        raise ValueError("once")

    async def succeed() -> int:
        return 1

    results = await asyncio.gather(
        flight.run("k", fail), flight.run("k", fail), return_exceptions=True
    )
    assert [type(result) for result in results] == [ValueError, ValueError]
    with pytest.raises(ValueError, match="once"):
        await flight.run("k", fail)
    assert await flight.run("k", succeed) == 1
