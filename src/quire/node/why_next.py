"""What a machine does next, in words."""

from __future__ import annotations

from quire.base.errors import QuireError
from quire.base.units import format_time


def next_words(waits_for: tuple[str, float] | None, trouble: QuireError | None) -> list[str]:
    """Sentences. `waits_for`: for what, and until when, unix seconds; `trouble`: why it is tried
    again."""
    found = []
    if waits_for is not None:
        found.append(f"Next: {waits_for[0]}, until {format_time(waits_for[1])}.")
    if trouble is not None:
        found.append(f"It is tried again, because: {trouble.message}.")
    return found
