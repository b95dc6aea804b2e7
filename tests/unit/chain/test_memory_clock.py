"""The time of a world in memory, in virtual time and by hand."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from quire.base.errors import DeadlineExceeded
from quire.chain.memory.clock import MemoryChainClock, mine_by_clock
from quire.chain.memory.world import KEPT_STATES
from quire.sim.clock import SimClock
from quire.sim.loop import SimLoop, run
from support.memory_world import RIGHT_NOW, a_world


def in_virtual_time(story: Callable[[SimLoop], Coroutine[Any, Any, None]]) -> None:
    loop = SimLoop(random.Random(1))
    run(loop, story(loop))
    assert not loop.failures, loop.failures


def test_blocks_come_at_their_pace_and_time_runs_between_them() -> None:
    async def story(loop: SimLoop) -> None:
        world = a_world(block_seconds=12, automine=False)
        clock = MemoryChainClock(world, SimClock(loop))
        mining = loop.create_task(mine_by_clock(world))
        await asyncio.sleep(30)
        assert world.head.timestamp == RIGHT_NOW + 24
        assert clock.now() == pytest.approx(RIGHT_NOW + 30)
        await clock.until(RIGHT_NOW + 61)
        assert world.head.timestamp == RIGHT_NOW + 60
        assert clock.now() == pytest.approx(RIGHT_NOW + 61)
        mining.cancel()
        with suppress(asyncio.CancelledError):
            await mining

    in_virtual_time(story)


def test_a_wait_ends_early_when_the_chains_time_jumps() -> None:
    async def story(loop: SimLoop) -> None:
        world = a_world()
        clock = MemoryChainClock(world, SimClock(loop))
        started = loop.time()
        waiting = loop.create_task(clock.until(RIGHT_NOW + 5000))
        await asyncio.sleep(1)
        world.set_time(RIGHT_NOW + 5000)
        world.mine()
        await waiting
        assert loop.time() - started == pytest.approx(1)

    in_virtual_time(story)


def test_a_wait_has_a_deadline() -> None:
    async def story(loop: SimLoop) -> None:
        clock = MemoryChainClock(a_world(), SimClock(loop))
        with pytest.raises(DeadlineExceeded):
            await clock.until(RIGHT_NOW + 5000, loop.time() + 10)
        assert clock.now() == pytest.approx(RIGHT_NOW + 10)

    in_virtual_time(story)


def test_as_many_blocks_can_be_taken_back_as_states_are_kept() -> None:
    world = a_world()
    world.mine(KEPT_STATES + 20)
    number = world.head.number
    world.reorganise(KEPT_STATES - 1)
    assert world.head.number == number + 1
    with pytest.raises(AssertionError):
        world.reorganise(KEPT_STATES)


def test_every_block_has_a_hash_of_its_own_and_the_seed_decides_it() -> None:
    first, second = a_world(), a_world()
    hashes = []
    for _ in range(3):
        first.mine(4)
        hashes += [block.head.hash for block in first.blocks_after(0)]
        first.reorganise(3)
    assert len(set(hashes)) > len(first.blocks_after(0))
    second.mine(4)
    assert second.head.hash == hashes[4]
