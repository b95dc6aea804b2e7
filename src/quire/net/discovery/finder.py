"""Finds who has a key: what was found lately at once, then a search of the network.

Searches for one key are shared by all that ask and are not repeated before `pause_seconds`.
Connected peers need no record: whoever fetches asks them directly (net/exchange/candidates.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from random import Random

from quire.base.clock import Clock
from quire.base.errors import QuireError
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.formats.cid import Cid
from quire.net.transport import PeerId, ProviderRecord, Transport


@dataclass(frozen=True, slots=True)
class FinderLimits:
    pause_seconds: float = 5.0  # between the end of a search and the next for the same key
    remember_seconds: float = 600.0  # how long a provider is told without a new search
    keys: int = 4096  # remembered
    providers_per_key: int = 64
    concurrency: int = 16  # searches at once, all keys together
    search_seconds: float = 60.0  # of one search


@dataclass(slots=True)
class _Key:
    """What is known of one key."""

    found: dict[PeerId, tuple[ProviderRecord, float]] = field(default_factory=dict)  # with when
    search: asyncio.Task[None] | None = None
    next_search_at: float = float("-inf")
    news: asyncio.Event = field(default_factory=asyncio.Event)
    readers: int = 0


class Finder:
    """The searches of one node."""

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        rng: Random,
        events: EventBus,
        *,
        waits: Waits | None = None,
        limits: FinderLimits | None = None,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._rng = rng
        self._events = events
        self._waits = waits or Waits(clock)
        self._limits = limits or FinderLimits()
        self._keys: dict[Cid, _Key] = {}
        self._slots = asyncio.Semaphore(self._limits.concurrency)

    async def find(self, cid: Cid, deadline: float) -> AsyncIterator[ProviderRecord]:
        """Providers of a key, each once, as they are found; ends with the search or `deadline`.

        This node itself is never among them.
        """
        key = self._key(cid)
        key.readers += 1
        told: dict[PeerId, None] = {}
        try:
            with self._waits.waiting(str(cid), "searching for providers", deadline):
                self._begin(cid, key)
                while True:
                    for record in self._fresh(key):
                        if record.peer not in told:
                            told[record.peer] = None
                            yield record
                    if key.search is None or self._clock.monotonic() >= deadline:
                        return
                    key.news.clear()
                    if not any(r.peer not in told for r in self._fresh(key)):
                        await self._wait(key, deadline)
        finally:
            key.readers -= 1
            if not key.readers and key.search is not None:
                key.search.cancel()

    def known(self, cid: Cid) -> list[ProviderRecord]:
        """Providers that were found lately, without a search."""
        key = self._keys.get(cid)
        return self._fresh(key) if key is not None else []

    @property
    def searching(self) -> int:
        """Searches under way."""
        return sum(key.search is not None for key in self._keys.values())

    async def stop(self) -> None:
        """Cancel all searches."""
        searches = [key.search for key in self._keys.values() if key.search is not None]
        for search in searches:
            search.cancel()
        if searches:
            await asyncio.wait(searches)

    def _key(self, cid: Cid) -> _Key:
        key = self._keys.get(cid)
        if key is None:
            if len(self._keys) >= self._limits.keys:
                self._forget_one()
            key = self._keys[cid] = _Key()
        return key

    def _forget_one(self) -> None:
        idle = next((cid for cid, key in self._keys.items() if not key.readers), None)
        if idle is not None:
            del self._keys[idle]

    def _fresh(self, key: _Key) -> list[ProviderRecord]:
        oldest = self._clock.monotonic() - self._limits.remember_seconds
        return [record for record, at in key.found.values() if at >= oldest]

    def _begin(self, cid: Cid, key: _Key) -> None:
        """Start a search unless one runs or has just ended."""
        if key.search is None and self._clock.monotonic() >= key.next_search_at:
            key.search = asyncio.get_running_loop().create_task(self._search(cid, key))

    async def _search(self, cid: Cid, key: _Key) -> None:
        def found(record: ProviderRecord) -> None:
            if record.peer == self._transport.peer_id:
                return
            if key.found.pop(record.peer, None) is None:
                self._events.publish(
                    "provider.found",
                    str(cid),
                    f"{record.peer} says it has it",
                    peer=record.peer,
                    addresses=", ".join(record.addresses),
                )
            key.found[record.peer] = record, self._clock.monotonic()
            if len(key.found) > self._limits.providers_per_key:
                del key.found[next(iter(key.found))]
            key.news.set()

        try:
            async with self._slots:
                deadline = self._clock.monotonic() + self._limits.search_seconds
                async with asyncio.timeout_at(deadline):
                    await self._transport.find_providers(cid.encode(), deadline, found)
        except (TimeoutError, QuireError):
            pass  # what was found so far is told
        finally:
            key.search = None
            pause = self._limits.pause_seconds * (0.75 + 0.5 * self._rng.random())
            key.next_search_at = self._clock.monotonic() + pause
            key.news.set()

    async def _wait(self, key: _Key, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await key.news.wait()
        except TimeoutError:
            return
