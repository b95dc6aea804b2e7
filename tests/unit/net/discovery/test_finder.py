"""Searches are shared, limited in rate, bounded in time, and remember what they found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from quire.base.clock import SystemClock
from quire.base.errors import PeerSilent
from quire.base.events import EventBus
from quire.base.rng import seeded_rng
from quire.base.waits import Waits
from quire.formats.cid import Cid, manifest_cid
from quire.net.discovery import Finder
from quire.net.discovery.finder import FinderLimits
from quire.net.memory import MemoryTransport
from quire.net.transport import ProviderRecord
from support.exchange_nodes import soon, until
from support.networks import make_network

KEY = manifest_cid(b"key")


class Directory(MemoryTransport):
    """A transport whose searches a test directs."""

    def __init__(self) -> None:
        super().__init__(make_network(), "peer-me", "/memory/me")
        self.searches = 0
        self.told: asyncio.Queue[ProviderRecord | None] = asyncio.Queue()
        self.cancelled = 0

    async def find_providers(
        self, key: bytes, deadline: float, on_found: Callable[[ProviderRecord], None]
    ) -> None:
        self.searches += 1
        try:
            while (record := await self.told.get()) is not None:
                on_found(record)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def make(directory: MemoryTransport, limits: FinderLimits | None = None) -> Finder:
    clock = SystemClock()
    return Finder(
        directory, clock, seeded_rng(1), EventBus(clock), waits=Waits(clock), limits=limits
    )


def record(name: str) -> ProviderRecord:
    return ProviderRecord(f"peer-{name}", (f"/memory/{name}",))


async def collect(finder: Finder, cid: Cid = KEY, seconds: float = 5.0) -> list[str]:
    return [found.peer async for found in finder.find(cid, soon(seconds))]


async def test_providers_are_told_as_they_are_found_and_each_once() -> None:
    directory = Directory()
    finder = make(directory)
    search = finder.find(KEY, soon())
    for found in (record("a"), record("a"), record("me"), record("b"), None):
        directory.told.put_nowait(found)
    assert [r.peer async for r in search] == ["peer-a", "peer-b"]
    assert finder.known(KEY) == [record("a"), record("b")]


async def test_all_that_ask_share_one_search() -> None:
    directory = Directory()
    finder = make(directory)
    asking = [asyncio.ensure_future(collect(finder)) for _ in range(5)]
    await until(lambda: directory.searches == 1)
    directory.told.put_nowait(record("a"))
    asking[0].cancel()
    directory.told.put_nowait(None)
    assert [await task for task in asking[1:]] == [["peer-a"]] * 4
    assert directory.searches == 1


async def test_a_search_is_not_repeated_at_once_but_what_it_found_is_told() -> None:
    directory = Directory()
    finder = make(directory, FinderLimits(pause_seconds=0.05))
    directory.told.put_nowait(record("a"))
    directory.told.put_nowait(None)
    assert await collect(finder) == ["peer-a"]
    assert await collect(finder) == ["peer-a"]
    assert directory.searches == 1
    await asyncio.sleep(0.07)
    directory.told.put_nowait(None)
    assert await collect(finder) == ["peer-a"]
    assert directory.searches == 2


async def test_a_search_that_nobody_waits_for_is_cancelled() -> None:
    directory = Directory()
    finder = make(directory)
    asking = asyncio.ensure_future(collect(finder))
    await until(lambda: directory.searches == 1)
    asking.cancel()
    await until(lambda: directory.cancelled == 1)


async def test_a_search_ends_at_the_deadline_of_who_asks() -> None:
    directory = Directory()
    finder = make(directory)
    directory.told.put_nowait(record("a"))
    assert await collect(finder, seconds=0.05) == ["peer-a"]


async def test_what_was_found_long_ago_is_not_told() -> None:
    directory = Directory()
    finder = make(directory, FinderLimits(remember_seconds=0.02, pause_seconds=0.0))
    directory.told.put_nowait(record("a"))
    directory.told.put_nowait(None)
    assert await collect(finder) == ["peer-a"]
    await asyncio.sleep(0.03)
    directory.told.put_nowait(None)
    assert await collect(finder) == []


async def test_a_failing_search_is_an_empty_one() -> None:
    class Broken(MemoryTransport):
        async def find_providers(
            self, key: bytes, deadline: float, on_found: Callable[[ProviderRecord], None]
        ) -> None:
            raise PeerSilent("the network is down")

    assert await collect(make(Broken(make_network(), "peer-x", "/memory/x"))) == []


async def test_memory_and_searches_are_bounded() -> None:
    directory = Directory()
    finder = make(directory, FinderLimits(keys=10, concurrency=2, pause_seconds=0.0))
    asking = [asyncio.ensure_future(collect(finder, manifest_cid(bytes([n])))) for n in range(8)]
    await asyncio.sleep(0.01)
    assert directory.searches == 2
    for _ in range(8):
        directory.told.put_nowait(None)
    await asyncio.gather(*asking)
    for n in range(100, 140):
        directory.told.put_nowait(None)
        await collect(finder, manifest_cid(bytes([n])))
    assert len(finder._keys) <= 10
