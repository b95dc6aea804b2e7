"""How quick each holder of replicas has been, and whom to ask next; pure.

The score of a holder is when it would be through with one more run: what is under way there, at
the pace that it has shown. One that has not shown any counts as quick, so that everybody is tried.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from quire.formats.holders import Holder

SMOOTHING = 0.3  # weight of the newest run in the pace
FAILURES_MAX = 3  # in a row; then it is asked only when there is nobody else


@dataclass(slots=True)
class Pace:
    seconds_per_byte: float = 0.0
    under_way: int = 0  # bytes
    failures: int = 0  # in a row
    is_out: bool = False  # it lied, or will not be paid: not asked again


class Paces:
    """Of all holders of one file."""

    def __init__(self) -> None:
        self._of: dict[str, Pace] = {}

    def of(self, peer: str) -> Pace:
        return self._of.setdefault(peer, Pace())

    def began(self, peer: str, size: int) -> None:
        self.of(peer).under_way += size

    def served(self, peer: str, size: int, seconds: float) -> None:
        pace = self.of(peer)
        pace.under_way -= size
        pace.failures = 0
        found = seconds / size
        known = pace.seconds_per_byte or found
        pace.seconds_per_byte = known + SMOOTHING * (found - known)

    def failed(self, peer: str, size: int, *, is_out: bool = False) -> None:
        pace = self.of(peer)
        pace.under_way -= size
        pace.failures += 1
        pace.is_out = pace.is_out or is_out

    def called_off(self, peer: str, size: int) -> None:
        """Before it was asked; that says nothing about it."""
        self.of(peer).under_way -= size

    def next(
        self, holders: Sequence[Holder], tried: Collection[str], size: int, *, is_alone: bool
    ) -> Holder | None:
        """The best of those that were not tried; None when there is none. `is_alone`: nobody else
        is asked at the time, so that one who fails again and again is better than nobody."""
        left = [
            holder
            for holder in holders
            if holder.peer not in tried
            and not self.of(holder.peer).is_out
            and (is_alone or self.of(holder.peer).failures < FAILURES_MAX)
        ]
        return min(left, key=lambda holder: self._score(holder.peer, size), default=None)

    def _score(self, peer: str, size: int) -> tuple[bool, float, int]:
        pace = self.of(peer)
        seconds = (pace.under_way + size) * pace.seconds_per_byte
        return pace.failures >= FAILURES_MAX, seconds, pace.under_way
