"""Follows the chain once for the whole node, and hands each batch of blocks to all who listen.

The place up to which every listener has heard is kept in the journal, so that after a restart they
get what they missed in one go. A batch may be told twice; listeners look at the chain again.

    feed.listen(heard)   async, quick; what it cannot do at once it leaves to a task of its own
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from quire.base.clock import Clock
from quire.base.errors import BadEncoding, QuireError
from quire.base.events import EventBus
from quire.chain.abi import address_text
from quire.chain.port import Batch, Head, Market
from quire.services.background import Background
from quire.store.journal import Journal, Record

Listener: TypeAlias = Callable[[Batch], Awaitable[None]]

KIND = "cursor"
HASH_BYTES = 32
CURSOR_BYTES = 8 + 8 + HASH_BYTES
SAVE_SECONDS = 30.0  # blocks in which nothing happened are noted so often
RETRY_SECONDS = 2.0


class Feed(Protocol):
    """Where batches come from, for those who only listen."""

    def listen(self, listener: Listener) -> Callable[[], None]: ...


class MarketFeed:
    """One market, from `start` to `stop`. `newest`: the head that was told last."""

    def __init__(self, market: Market, journal: Journal, events: EventBus, clock: Clock) -> None:
        self._market = market
        self._journal = journal
        self._events = events
        self._clock = clock
        self._key = f"{market.terms.chain_id}/{address_text(market.terms.contract)}"
        self._listeners: list[Listener] = []
        self._after: Head | None = None
        self._task = Background("market-feed", self._run, events)
        self._saved_at = 0.0
        self.newest: Head | None = None
        self.rewinds = 0

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have it called with each batch, one after the other. Returns what ends it."""
        self._listeners.append(listener)

        def unlisten() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unlisten

    async def start(self) -> None:
        """Those who listen by now hear what happened since the last stop. Raises StoreCorrupt."""
        cursor = (await self._journal.read(KIND)).get(self._key)
        if cursor is not None:
            try:
                self._after = decode_cursor(cursor)
            except BadEncoding as error:
                self._events.publish("chain.cursor-unreadable", self._key, error.message)
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    async def _run(self) -> None:
        while True:
            try:
                async for batch in self._market.follow(self._after):
                    await self._tell(batch)
                    self._after = batch.head
            except QuireError as error:
                self._events.publish("chain.not-followed", self._key, error.message)
                await asyncio.sleep(RETRY_SECONDS)

    async def _tell(self, batch: Batch) -> None:
        if batch.is_rewound:
            self.rewinds += 1
            self._events.publish(
                "chain.rewound",
                self._key,
                f"blocks were taken back; the chain goes on at block {batch.head.number}",
            )
        for listener in list(self._listeners):
            try:
                await listener(batch)
            except QuireError as error:
                self._events.publish(
                    "chain.not-heard",
                    self._key,
                    f"block {batch.head.number} was not dealt with: {error.message}",
                )
        self.newest = batch.head
        now = self._clock.monotonic()
        if batch.events or batch.is_rewound or now - self._saved_at >= SAVE_SECONDS:
            await self._journal.write([Record(KIND, self._key, encode_cursor(batch.head))])
            self._saved_at = now


def encode_cursor(head: Head) -> bytes:
    return head.number.to_bytes(8, "big") + head.timestamp.to_bytes(8, "big") + head.hash


def decode_cursor(data: bytes) -> Head:
    """Raises BadEncoding."""
    if len(data) != CURSOR_BYTES:
        raise BadEncoding(f"a place in the chain has {CURSOR_BYTES} bytes, not {len(data)}")
    number, timestamp = int.from_bytes(data[:8], "big"), int.from_bytes(data[8:16], "big")
    return Head(number, data[16:], timestamp)
