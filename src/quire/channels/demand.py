"""How much is asked of a node's cache just now, and what that makes of the price. Pure.

price = base · (1 + demand), with demand 1 at FULL_BYTES in the last minutes, and at most DEMAND_MAX

Source   point.md 6.2
"""

from __future__ import annotations

import math

from quire.base.units import MIB

HALF_LIFE_SECONDS = 60.0
FULL_BYTES = 512 * MIB
DEMAND_MAX = 3.0
STEPS = 8  # of the price between base and twice the base: it does not change with every block


class Demand:
    """Bytes served, each of which counts half after HALF_LIFE_SECONDS. `now` in seconds."""

    def __init__(self) -> None:
        self._bytes = 0.0
        self._at = 0.0

    def note(self, size_bytes: int, now: float) -> None:
        self._bytes = self._left(now) + size_bytes
        self._at = now

    def level(self, now: float) -> float:
        """0 to DEMAND_MAX."""
        return min(DEMAND_MAX, self._left(now) / FULL_BYTES)

    def price(self, base: int, now: float) -> int:
        """Tokens for a MiB."""
        return base + base * int(self.level(now) * STEPS) // STEPS

    def _left(self, now: float) -> float:
        return self._bytes * math.exp2(-max(0.0, now - self._at) / HALF_LIFE_SECONDS)
