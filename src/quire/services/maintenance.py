"""Deletes what nothing keeps any more, every `interval_seconds`, and when somebody asks."""

from __future__ import annotations

import asyncio

from quire.base.clock import Clock
from quire.base.errors import QuireError
from quire.base.events import EventBus
from quire.store.store import Store


class Maintenance:
    """`batch` datasets are deleted by one transaction, so that others have their turn."""

    def __init__(
        self, store: Store, clock: Clock, events: EventBus, *, interval_seconds: float, batch: int
    ) -> None:
        self._store = store
        self._clock = clock
        self._events = events
        self._interval_seconds = interval_seconds
        self._batch = batch
        self._lock = asyncio.Lock()
        self.next_at = clock.now() + interval_seconds  # unix seconds

    async def run(self) -> None:
        """Collect again and again, until cancelled."""
        while True:
            self.next_at = self._clock.now() + self._interval_seconds
            await asyncio.sleep(self._interval_seconds)
            try:
                await self.collect()
            except QuireError as error:
                self._events.publish("collect.failed", "", error.message, code=error.code)

    async def collect(self) -> int:
        """Delete now what nothing keeps; how many datasets. One at a time. Raises DiskFull."""
        async with self._lock:
            count = await self._store.collect(self._batch)
        if count:
            self._events.publish(
                "collect.done", "", f"{count} datasets were past their time", datasets=count
            )
        return count
