"""Which blocks belong to the present period, as far as the heads that were seen tell.

Heads may be skipped (a lost connection), so the first block of a period is known within bounds.
"""

from __future__ import annotations

from quire.chain.port import Head
from quire.chain.terms import Terms
from quire.market.block_pace import Blocks
from quire.market.period_plan import POINTERS


class PeriodBlocks:
    """Fed with every head of a chain, oldest first."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._period = -1
        self._first = 0  # the first head that was seen in the period
        self._before: int | None = None  # the last one that was seen before it
        self._last = 0

    def note(self, head: Head) -> None:
        period = self._terms.period_of(head.timestamp)
        if period != self._period or head.number < self._first:
            is_next = 0 <= self._period < period
            self._before = self._last if is_next else None
            self._period, self._first = period, head.number
        self._last = head.number

    def elapsed(self, period: int, block: int) -> Blocks:
        """How many blocks of the period come before `block`, which belongs to it as well."""
        if period > self._period >= 0:
            return Blocks(0, max(0, block - self._last - 1))
        if period < self._period or self._period < 0:
            return Blocks(0, POINTERS)
        most = POINTERS if self._before is None else block - self._before - 1
        return Blocks(max(0, block - self._first), max(0, most))
