"""The feed tells every listener every block, over restarts, re-organisations and failures."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from quire.base.clock import SystemClock
from quire.base.errors import BadEncoding, ChainUnreachable, QuireError
from quire.base.events import EventBus
from quire.chain.abi import request_id
from quire.chain.events import StorageRequested
from quire.chain.memory.market import MemoryMarket
from quire.chain.port import Batch, Head
from quire.services.market_feed import KIND, MarketFeed, decode_cursor, encode_cursor
from quire.store.journal import Record
from quire.store.journal_memory import MemoryJournal
from support.memory_world import CLIENT, HOST, a_request, a_world

PATIENCE = 10.0


class Town:
    def __init__(self) -> None:
        self.world = a_world()
        self.market = MemoryMarket(self.world, HOST)
        self.client = MemoryMarket(self.world, CLIENT)
        self.clock = SystemClock()
        self.journal = MemoryJournal(self.clock)
        self.events = EventBus(self.clock)
        self.said: list[str] = []
        self.events.listen(lambda event: self.said.append(event.kind))

    def feed(self) -> MarketFeed:
        return MarketFeed(self.market, self.journal, self.events, self.clock)

    async def ask(self, nonce: int) -> bytes:
        request = a_request(nonce=nonce)
        await self.client.request_storage(request)
        return request_id(request)


class Listener:
    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.problem: QuireError | None = None
        self._more = asyncio.Event()

    async def __call__(self, batch: Batch) -> None:
        self.batches.append(batch)
        self._more.set()
        if self.problem is not None:
            raise self.problem

    @property
    def asked(self) -> list[bytes]:
        events = [event for batch in self.batches for event in batch.events]
        return [event.request_id for event in events if isinstance(event, StorageRequested)]

    async def until(self, fact) -> None:
        async with asyncio.timeout(PATIENCE):
            while not fact():
                await self._more.wait()
                self._more.clear()


@asynccontextmanager
async def running(feed: MarketFeed, *listeners: Listener):
    for listener in listeners:
        feed.listen(listener)
    await feed.start()
    try:
        yield feed
    finally:
        await feed.stop()


async def test_every_listener_hears_every_block_in_order():
    town, one, other = Town(), Listener(), Listener()
    async with running(town.feed(), one, other) as feed:
        await one.until(lambda: one.batches)
        ids = [await town.ask(nonce) for nonce in (1, 2, 3)]
        await other.until(lambda: other.asked == ids)
        assert one.asked == ids
        assert feed.newest == town.world.head


async def test_what_happened_while_the_node_was_down_is_told_at_its_start():
    town, before, after = Town(), Listener(), Listener()
    async with running(town.feed(), before):
        await before.until(lambda: before.batches)
        first = await town.ask(1)
        await before.until(lambda: before.asked == [first])
    missed = [await town.ask(nonce) for nonce in (2, 3)]
    async with running(town.feed(), after):
        await after.until(lambda: after.asked == missed)


async def test_a_batch_that_was_not_dealt_with_before_a_crash_is_told_again():
    town, listener, after = Town(), Listener(), Listener()
    async with running(town.feed(), listener):
        await listener.until(lambda: listener.batches)
    stuck = asyncio.Event()

    async def hang(batch: Batch) -> None:
        stuck.set()
        await asyncio.Event().wait()

    feed = town.feed()
    feed.listen(hang)
    await feed.start()
    asked = await town.ask(1)
    async with asyncio.timeout(PATIENCE):
        await stuck.wait()
    await feed.stop()
    async with running(town.feed(), after):
        await after.until(lambda: after.asked == [asked])


async def test_blocks_that_are_taken_back_are_told_of():
    town, listener = Town(), Listener()
    async with running(town.feed(), listener) as feed:
        await listener.until(lambda: listener.batches)
        await town.ask(1)
        await listener.until(lambda: listener.asked)
        town.world.reorganise(1)
        await listener.until(lambda: listener.batches[-1].is_rewound)
        assert len(listener.asked) == 2
        assert feed.rewinds == 1
    assert "chain.rewound" in town.said


async def test_one_listener_that_fails_does_not_keep_the_others_from_hearing():
    town, failing, other = Town(), Listener(), Listener()
    failing.problem = ChainUnreachable("no answer")
    async with running(town.feed(), failing, other):
        await other.until(lambda: other.batches)
        asked = await town.ask(1)
        await other.until(lambda: other.asked == [asked])
        assert failing.asked == [asked]
    assert "chain.not-heard" in town.said


async def test_who_ends_listening_hears_no_more():
    town, one, other = Town(), Listener(), Listener()
    feed = town.feed()
    unlisten = feed.listen(one)
    async with running(feed, other):
        await other.until(lambda: other.batches)
        unlisten()
        unlisten()
        asked = await town.ask(1)
        await other.until(lambda: other.asked == [asked])
    assert one.asked == []


async def test_a_place_that_cannot_be_read_is_passed_over_and_told():
    town, listener = Town(), Listener()
    feed = town.feed()
    await town.journal.write([Record(KIND, feed._key, b"short")])
    async with running(feed, listener):
        await listener.until(lambda: listener.batches)
    assert "chain.cursor-unreadable" in town.said


def test_a_place_in_the_chain_is_read_back():
    head = Head(1 << 40, bytes(range(32)), 1_900_000_000)
    assert decode_cursor(encode_cursor(head)) == head


@pytest.mark.parametrize("data", [b"", bytes(47), bytes(49)])
def test_what_is_no_place_in_the_chain_is_refused(data):
    with pytest.raises(BadEncoding, match="48 bytes"):
        decode_cursor(data)
