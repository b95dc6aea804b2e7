"""A service that looks again: when it hears of blocks, in time, and sooner after trouble."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from quire.base.clock import SystemClock
from quire.base.errors import ChainUnreachable, QuireError
from quire.base.events import EventBus
from quire.chain.port import Batch, Head
from quire.services.lookout import RETRY_SECONDS_MAX, Lookout
from quire.services.market_feed import Listener
from quire.sim.loop import SimLoop, run

BATCH = Batch(Head(7, bytes(32), 1_800_000_000), ())


class Post:
    """A service with a lookout, and the feed it listens to. `looks`: at which seconds."""

    def __init__(self, looks_seconds: float = 60.0) -> None:
        self.listeners: list[Listener] = []
        self.looks: list[float] = []
        self.troubles: list[str] = []
        self.is_broken = False
        self._seconds = looks_seconds
        bus = EventBus(SystemClock())
        self.lookout = Lookout(self, self._hear, self._look, self._note, "post", bus)

    def listen(self, listener: Listener) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    async def _hear(self, batch: Batch) -> None:
        assert batch is BATCH
        self.lookout.wake()

    async def _look(self) -> float:
        self.looks.append(asyncio.get_running_loop().time())
        if self.is_broken:
            raise ChainUnreachable("it is away")
        return self._seconds

    def _note(self, error: QuireError) -> None:
        self.troubles.append(error.message)


def looks_of(post: Post, story: Callable[[Post], Awaitable[None]]) -> list[float]:
    """The seconds from the start on at which it looked."""

    async def scene() -> None:
        post.lookout.start()
        await story(post)
        await post.lookout.stop()

    loop = SimLoop(random.Random(1))
    begun = loop.time()
    run(loop, scene())
    assert loop.failures == []
    return [round(at - begun, 3) for at in post.looks]


def test_it_looks_when_the_time_is_over_that_the_last_look_named() -> None:
    async def wait(_: Post) -> None:
        await asyncio.sleep(35)

    assert looks_of(Post(10.0), wait) == [0, 10, 20, 30]


def test_it_looks_when_a_block_was_heard_of() -> None:
    async def hear(post: Post) -> None:
        await asyncio.sleep(5)
        await post.listeners[0](BATCH)
        await asyncio.sleep(1)

    assert looks_of(Post(), hear) == [0, 5]


def test_after_trouble_it_looks_sooner_with_pauses_that_grow_to_a_bound() -> None:
    async def break_and_mend(post: Post) -> None:
        post.is_broken = True
        await asyncio.sleep(30)
        post.is_broken = False
        await asyncio.sleep(RETRY_SECONDS_MAX)

    post = Post()
    assert looks_of(post, break_and_mend) == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 23.5, 31.5]
    assert post.troubles == ["it is away"] * 7


def test_once_stopped_it_neither_hears_nor_looks() -> None:
    async def stop(post: Post) -> None:
        await asyncio.sleep(1)
        await post.lookout.stop()
        post.lookout.wake()
        await asyncio.sleep(100)

    post = Post(10.0)
    assert looks_of(post, stop) == [0]
    assert post.listeners == []
