"""Whatever the chain does: each log is told once, in order, and none is left out."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.chain.block import Log
from quire.chain.follow import Stretch, follow
from quire.chain.heads import Heads
from quire.chain.port import Head
from quire.sim.loop import SimLoop, run
from support.fake_chain import FakeChain

RESTARTS = 4
NEAR_BLOCKS = 2  # so that a gap is often too wide to look at each block


@dataclass
class Listener:
    """Keeps what it is told, as somebody with a journal does."""

    chain: FakeChain
    head: Head | None = None
    start: int = 0
    logs: list[Log] = field(default_factory=list)
    rewinds: int = 0
    stretches: int = 0

    def hear(self, stretch: Stretch) -> None:
        self.stretches += 1
        if self.head is None:
            self.start = stretch.head.number
            assert stretch.logs == ()
        elif not stretch.is_rewound:
            assert stretch.after == self.head.number
        else:
            self.rewinds += 1
        if stretch.is_rewound:
            self.start = min(self.start, stretch.after)
            self.logs = [log for log in self.logs if log.block <= stretch.after]
        assert all(stretch.after < log.block <= stretch.head.number for log in stretch.logs)
        assert stretch.is_rewound or stretch.head.number >= stretch.after
        self.logs += stretch.logs
        self.head = stretch.head

    def has_heard_all(self, depth: int) -> bool:
        newest = self.chain.blocks[-1 - depth].head
        return self.head == newest


async def listen(listener: Listener, depth: int, until: int, *, quiet: bool) -> None:
    """Follow from where the listener is, as a process that starts; ended when it has heard so many
    stretches or, of a chain that is quiet, all."""
    heads = Heads(listener.chain)
    while True:
        try:
            await heads.start()
            break
        except Exception:
            await asyncio.sleep(0.1)
    try:
        stretches: AsyncIterator[Stretch] = follow(
            listener.chain,
            heads,
            b"\x11" * 20,
            listener.head,
            depth,
            near_blocks=NEAR_BLOCKS,
        )
        async with aclosing(stretches):
            async for stretch in stretches:
                listener.hear(stretch)
                if (quiet and listener.has_heard_all(depth)) or (
                    not quiet and listener.stretches >= until
                ):
                    return
    finally:
        await heads.stop()


async def scenario(seed: int, depth: int) -> Listener:
    rng = random.Random(seed)
    chain = FakeChain(rng, unrest=0.3)
    chain.mine(depth + rng.choice((0, 5, 40)))
    listener = Listener(chain)
    for turn in range(RESTARTS):
        await listen(listener, depth, (turn + 1) * 5, quiet=False)
        if rng.randrange(2):
            chain.mine(rng.choice((0, 3, 30)))
        if rng.randrange(2):
            chain.reorganise(rng.choice((1, 3, 6, 90)), rng.choice((1, 2, -60)))
    chain.unrest = 0.0
    chain.mine(1 + depth)
    await listen(listener, depth, 0, quiet=True)
    return listener


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), depth=st.sampled_from((0, 0, 2)))
def test_each_log_of_the_chain_is_told_once_in_order(seed: int, depth: int) -> None:
    listener = run(SimLoop(random.Random(seed)), scenario(seed, depth))
    assert listener.logs == listener.chain.logs(listener.start, depth)


def test_the_scenarios_reorganise_and_restart() -> None:
    heard = [run(SimLoop(random.Random(seed)), scenario(seed, 0)) for seed in range(20)]
    assert sum(listener.rewinds for listener in heard) > 20
    assert sum(listener.chain.rewinds for listener in heard) > 100
    assert sum(len(listener.logs) for listener in heard) > 200


def test_a_listener_that_is_told_twice_or_not_at_all_is_noticed() -> None:
    listener = run(SimLoop(random.Random(5)), scenario(5, 0))
    assert listener.logs
    with pytest.raises(AssertionError):
        listener.hear(Stretch(listener.head.number - 1, listener.head))
