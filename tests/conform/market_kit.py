"""What the conformance tests of `Market` are told with: a town, what is heard in it, its moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from quire.chain.abi import request_id, slot_id
from quire.chain.events import MarketEvent, SlotReserved, StorageRequested
from quire.chain.port import Batch, Head, Market
from quire.chain.values import StorageRequest
from support.memory_world import PROOF, a_request

PATIENCE = 20.0


class Town(Protocol):
    """One contract, and markets of accounts that each have gas and the same number of tokens."""

    client: Market
    host: Market
    other: Market
    validator: Market

    async def mine(self, blocks: int = 1) -> None: ...

    async def warp(self, timestamp: int) -> None:
        """Mine a block of this time, which is to come."""

    async def rewind(self, blocks: int) -> None:
        """Put other blocks in the place of the newest ones. Transactions come again."""


class Heard:
    """What one market tells, until a test is over."""

    def __init__(self, market: Market, after: Head | None = None) -> None:
        self.batches: list[Batch] = []
        self._market = market
        self._after = after
        self._more = asyncio.Event()

    async def __aenter__(self) -> Heard:
        self._task = asyncio.create_task(self._run())
        await self.until(lambda: bool(self.batches) or self._after is not None)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        async for batch in self._market.follow(self._after):
            self.batches.append(batch)
            self._more.set()

    @property
    def events(self) -> list[MarketEvent]:
        return [event for batch in self.batches for event in batch.events]

    async def until(self, fact: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not fact():
                self._more.clear()
                if fact():
                    return
                await self._more.wait()


async def asked(town: Town, **ask: int) -> tuple[StorageRequest, bytes, list[bytes]]:
    """A new request, its id and the ids of its slots."""
    request = a_request(town.client.account, **ask)
    await town.client.request_storage(request)
    rid = request_id(request)
    return request, rid, [slot_id(rid, index) for index in range(request.ask.slots)]


async def fill(market: Market, rid: bytes, indices: Sequence[int]) -> None:
    for index in indices:
        await market.reserve_slot(rid, index)
        await market.fill_slot(rid, index, PROOF)


async def next_period(town: Town) -> int:
    """Go to the beginning of the next one."""
    terms = town.client.terms
    period = terms.period_of((await town.client.head()).timestamp) + 1
    await town.warp(terms.period_start(period) + 1)
    return period


async def into_marking(town: Town) -> int:
    """Go on into the time in which the misses of the present period can be marked; that period."""
    terms = town.client.terms
    period = terms.period_of((await town.client.head()).timestamp)
    await town.warp(terms.period_end(period) + 1)
    return period


def same(event: MarketEvent, other: MarketEvent) -> bool:
    """Whether they say the same, but for times, which are others in another block."""
    if isinstance(event, StorageRequested) and isinstance(other, StorageRequested):
        return event.request_id == other.request_id
    if isinstance(event, SlotReserved) and isinstance(other, SlotReserved):
        return (event.request_id, event.host) == (other.request_id, other.host)
    return event == other
