"""How late the event loop runs what is due: the one number that says whether anything blocks it."""

from __future__ import annotations

import asyncio
from collections import deque

from prometheus_client import CollectorRegistry, Histogram

INTERVAL_SECONDS = 0.25
KEPT_SAMPLES = 1200  # five minutes
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class LoopLag:
    """Sleeps a known time over and over and records by how much it overslept, in seconds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._histogram = Histogram(
            "quire_event_loop_lag_seconds",
            "How late the event loop runs what is due",
            buckets=_BUCKETS,
            registry=registry,
        )
        self._samples: deque[float] = deque(maxlen=KEPT_SAMPLES)

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + INTERVAL_SECONDS
            await asyncio.sleep(INTERVAL_SECONDS)
            self.record(max(0.0, loop.time() - due))

    def record(self, seconds: float) -> None:
        self._samples.append(seconds)
        self._histogram.observe(seconds)

    def quantile(self, fraction: float) -> float:
        """The lag below which this fraction of the last minutes' samples lies; 0 without any."""
        ordered = sorted(self._samples)
        return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))] if ordered else 0.0
