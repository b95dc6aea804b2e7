"""How fast blocks come, measured from the heads of the chain.

Everything about periods that counts in blocks (the pointer, the downtime) is foretold with it. A
chain may slow down or hurry, so a span of time is answered with the fewest and the most blocks that
it may hold: half and twice as many as at the measured pace.

Source   market.md 1.6 (period < downtime x block time), 2.7
"""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass
from math import ceil, floor, inf

from quire.chain.port import Head
from quire.chain.terms import Terms

HEADS = 64  # remembered
SLACK = 2.0  # times faster or slower than measured


@dataclass(frozen=True, slots=True)
class Blocks:
    """How many blocks some time may hold."""

    fewest: int
    most: int


class BlockPace:
    """The pace of one chain. Nothing is known before two heads were seen: then blocks are taken to
    come as fast as the terms allow at most, and nothing is said about how slowly."""

    def __init__(self, terms: Terms) -> None:
        self._fastest = terms.period / max(1, terms.downtime)
        self._heads: deque[tuple[int, int]] = deque(maxlen=HEADS)  # number, timestamp
        self._seconds: float | None = None

    def note(self, head: Head) -> None:
        """A head that was seen. One that is not above the last takes the place of those from its
        number on."""
        while self._heads and self._heads[-1][0] >= head.number:
            self._heads.pop()
        self._heads.append((head.number, head.timestamp))
        steps = zip(self._heads, list(self._heads)[1:], strict=False)
        each = [(late - early) / (high - low) for (low, early), (high, late) in steps]
        self._seconds = statistics.median(each) if each else None

    @property
    def is_measured(self) -> bool:
        return self._seconds is not None

    @property
    def seconds(self) -> float:
        """Of one block, on average; at least a hundredth, as several may share a timestamp."""
        return max(0.01, self._fastest if self._seconds is None else self._seconds)

    def within(self, seconds: float) -> Blocks:
        """How many blocks may come in so many seconds."""
        blocks = max(0.0, seconds) / self.seconds
        fewest = floor(blocks / SLACK) if self.is_measured else 0
        return Blocks(fewest, ceil(blocks * (SLACK if self.is_measured else 1.0)))

    def blocks_back(self, seconds: float) -> float:
        """How many blocks ago it may have been `seconds` earlier, at most; infinite when the pace
        is not known."""
        return seconds / self.seconds * SLACK if self.is_measured else inf
