"""The time of the chain between blocks, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from quire.base.errors import ChainUnreachable, DeadlineExceeded
from quire.chain.clock import RpcChainClock, skew_seconds
from quire.chain.heads import Heads
from quire.chain.port import Head
from quire.sim.clock import SimClock
from quire.sim.loop import SimLoop, run
from support.fake_chain import START_TIME, FakeChain


def scenario(play: Callable[[RpcChainClock, FakeChain, Heads], Awaitable[None]]) -> None:
    async def main() -> None:
        chain = FakeChain(random.Random(1))
        heads = Heads(chain)
        await heads.start()
        try:
            await play(RpcChainClock(heads, SimClock(loop)), chain, heads)
        finally:
            await heads.stop()

    loop = SimLoop(random.Random(1))
    run(loop, main())
    assert loop.failures == []


def test_it_runs_on_between_blocks() -> None:
    async def play(clock: RpcChainClock, chain: FakeChain, heads: Heads) -> None:
        assert clock.now() == START_TIME
        await asyncio.sleep(3.5)
        assert clock.now() == pytest.approx(START_TIME + 3.5)

    scenario(play)


def test_the_block_to_come_tells_the_time_of_a_chain_where_nothing_happens() -> None:
    async def play(clock: RpcChainClock, chain: FakeChain, heads: Heads) -> None:
        chain.pending_time = START_TIME + 7200
        chain.ring()
        await heads.next_look()
        assert clock.now() == START_TIME + 7200

    scenario(play)


def test_waiting_ends_when_the_time_is_there_or_was_moved_past_it() -> None:
    async def play(clock: RpcChainClock, chain: FakeChain, heads: Heads) -> None:
        begin = asyncio.get_running_loop().time()
        await clock.until(START_TIME + 30)
        assert asyncio.get_running_loop().time() - begin == pytest.approx(30, abs=10)
        waiting = asyncio.create_task(clock.until(START_TIME + 86400))
        await asyncio.sleep(5)
        assert not waiting.done()
        chain.pending_time = START_TIME + 90000
        chain.mine(1)
        await asyncio.sleep(1)
        assert waiting.done()
        await clock.until(START_TIME)

    scenario(play)


def test_waiting_has_a_deadline() -> None:
    async def play(clock: RpcChainClock, chain: FakeChain, heads: Heads) -> None:
        with pytest.raises(DeadlineExceeded, match=f"did not reach {START_TIME + 500}"):
            await clock.until(START_TIME + 500, asyncio.get_running_loop().time() + 5)

    scenario(play)


def test_a_clock_of_this_machine_that_goes_wrong_is_noticed() -> None:
    loop = SimLoop(random.Random(1))
    clock = SimClock(loop)
    assert skew_seconds(clock.now() - 40, clock) == pytest.approx(40)
    assert skew_seconds(clock.now() + 40, clock) == pytest.approx(-40)
    loop.close()


def test_a_look_tells_whether_the_block_follows_the_one_before() -> None:
    async def play(clock: RpcChainClock, chain: FakeChain, heads: Heads) -> None:
        seen: list[tuple[Head, bool]] = []
        heads.listen(lambda look: seen.append((look.block.head, look.is_next)))
        for change in (lambda: chain.mine(1), lambda: chain.mine(2), lambda: chain.reorganise(1)):
            change()
            await asyncio.sleep(1)
        assert [is_next for _, is_next in seen] == [True, False, False]
        assert seen[-1][0] == chain.blocks[-1].head

    scenario(play)


def test_trouble_is_told_and_goes_away() -> None:
    async def play(clock: RpcChainClock, chain: FakeChain, heads: Heads) -> None:
        chain.is_down = True
        chain.ring()
        await asyncio.sleep(5)
        assert isinstance(heads.trouble, ChainUnreachable)
        chain.is_down = False
        chain.mine(1)
        await asyncio.sleep(5)
        assert heads.trouble is None
        assert heads.newest.block.head == chain.blocks[-1].head

    scenario(play)
