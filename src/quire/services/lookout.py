"""Looks again and again: when the chain moved, when it is asked to, and after a time that the last
look named. After trouble sooner, with pauses that grow."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from quire.base.errors import QuireError
from quire.base.events import EventBus
from quire.services.background import Background
from quire.services.market_feed import Feed, Listener

RETRY_SECONDS_FIRST = 0.5
RETRY_SECONDS_MAX = 8.0


class Lookout:
    """One task of a service, from `start` to `stop`.

    hear      takes the batches of the feed; after each it is looked
    look      gives the seconds until the next look if nothing happens before
    trouble   is told what a look came to
    """

    def __init__(
        self,
        feed: Feed,
        hear: Listener,
        look: Callable[[], Awaitable[float]],
        trouble: Callable[[QuireError], None],
        name: str,
        events: EventBus,
    ) -> None:
        self._feed = feed
        self._hear = hear
        self._look = look
        self._trouble = trouble
        self._wake = asyncio.Event()
        self._task = Background(name, self._run, events)
        self._unlisten: Callable[[], None] | None = None

    def start(self) -> None:
        self._unlisten = self._feed.listen(self._hear)
        self._task.start()

    async def stop(self) -> None:
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None
        await self._task.stop()

    def wake(self) -> None:
        """Look now, or once more after the look under way."""
        self._wake.set()

    async def _run(self) -> None:
        pause = RETRY_SECONDS_FIRST
        while True:
            self._wake.clear()
            try:
                wait, pause = await self._look(), RETRY_SECONDS_FIRST
            except QuireError as error:
                self._trouble(error)
                wait, pause = pause, min(2 * pause, RETRY_SECONDS_MAX)
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue
