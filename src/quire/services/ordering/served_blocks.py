"""Whether the coded blocks of an order are really served: a few are fetched, now and then.

    before the first part is paid ─► every ten minutes ─► before the last part is paid
Source   market.md 6.5; docs/explain/verified-coding.md
"""

from __future__ import annotations

import asyncio
import random

from quire.base.clock import Clock
from quire.base.errors import DeadlineExceeded, PeerError
from quire.dataset.geometry import Geometry
from quire.net.exchange.engine import Exchange
from quire.store.dataset import Dataset

BLOCKS = 4  # fetched at a time; at least half of them parity
SAMPLE_SECONDS = 60.0
TRIES = 3
PAUSE_SECONDS = 5.0


class ServedBlocks:
    """Blocks come by ordinary exchange and are not kept."""

    def __init__(self, exchange: Exchange, clock: Clock, rng: random.Random) -> None:
        self._exchange = exchange
        self._clock = clock
        self._rng = rng

    async def problem(self, dataset: Dataset) -> str:
        """Why a few random blocks could not be had, tried several times; "": they came."""
        words = ""
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(PAUSE_SECONDS)
            try:
                await self._sample(dataset)
            except (PeerError, DeadlineExceeded) as error:
                words = error.message
            else:
                return ""
        return words

    async def _sample(self, dataset: Dataset) -> None:
        geometry = Geometry.of(dataset.manifest)
        deadline = self._clock.monotonic() + SAMPLE_SECONDS
        borrow = self._exchange.borrow(dataset)
        try:
            for index in self._draw(geometry):
                await borrow.read(index, 1, deadline)
        finally:
            await borrow.close()

    def _draw(self, geometry: Geometry) -> list[int]:
        """Different blocks, none of them a pad."""
        parity = range(geometry.rounded, geometry.total)
        data = range(geometry.original_blocks)
        half = BLOCKS // 2
        drawn = self._rng.sample(parity, min(BLOCKS - half, len(parity)))
        return drawn + self._rng.sample(data, min(half, len(data)))
