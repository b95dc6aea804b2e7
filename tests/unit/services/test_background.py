"""A background task that makes a mistake says so and goes on."""

from __future__ import annotations

import asyncio

from quire.base.events import EventBus
from quire.base.rng import seeded_rng
from quire.services.background import Background
from quire.sim.clock import SimClock
from quire.sim.loop import SimLoop, run


def test_an_error_is_told_and_the_task_begins_anew() -> None:
    loop = SimLoop(seeded_rng(1))

    async def scene() -> tuple[int, list[str]]:
        bus = EventBus(SimClock(loop))
        times = 0

        async def work() -> None:
            nonlocal times
            times += 1
            if times < 3:
                raise KeyError("a mistake")

        task = Background("counting", work, bus)
        task.start()
        await asyncio.sleep(10)
        await task.stop()
        return times, [event.message for event in bus.history()]

    times, said = run(loop, scene())
    assert times == 3
    assert len(said) == 2
    assert "counting failed (KeyError" in said[0]
