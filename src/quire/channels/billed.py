"""Which bills a payer was billed already, so that none counts twice.

The numbers of a series only grow ("<link>/0", "<link>/1"), so its highest number says it all.
"""

from __future__ import annotations

from quire.channels.bills import number_of, series_of

SERIES_MAX = 4096  # of one payer; those that were quiet for longest are forgotten


class Billed:
    """Of one payer, in memory what the journal holds."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}  # series -> highest number; the quietest first

    def has(self, bill: str) -> bool:
        last = self._last.get(series_of(bill))
        return last is not None and number_of(bill) <= last

    def add(self, bill: str) -> list[str]:
        """It is billed now; the series that are forgotten for it."""
        series = series_of(bill)
        self._last.pop(series, None)
        self._last[series] = number_of(bill)
        gone = list(self._last)[: max(0, len(self._last) - SERIES_MAX)]
        for each in gone:
            del self._last[each]
        return gone

    def restore(self, series: str, number: int) -> None:
        self._last[series] = number
