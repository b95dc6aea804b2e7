"""Jobs that have ended stay known for a while, so that one can still ask how they ended."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol, TypeVar

K = TypeVar("K")


class Ending(Protocol):
    @property
    def has_ended(self) -> bool: ...


J = TypeVar("J", bound=Ending)


def forget_old(jobs: OrderedDict[K, J], keep: int) -> None:
    """Remove the oldest of those that have ended, but for the last `keep` of them."""
    ended = [key for key, job in jobs.items() if job.has_ended]
    for key in ended[: max(0, len(ended) - keep)]:
        del jobs[key]
