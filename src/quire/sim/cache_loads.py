"""What is asked of a cache, made up: popularity by Zipf's law, with scans, loops and changes.

A load is a list of keys, whole numbers from 0 on; key 0 is the most popular at the start.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Sequence
from itertools import accumulate
from random import Random

KEYS = 5000
SCANNED = 1_000_000  # keys from here on are asked for by scans alone


def zipf(skew: float, count: int, rng: Random, keys: int = KEYS) -> list[int]:
    """Key n is asked for with a probability that falls as 1 / (n + 1)^skew."""
    sums = list(accumulate((n + 1) ** -skew for n in range(keys)))
    return [bisect(sums, rng.random() * sums[-1]) for _ in range(count)]


def with_scans(load: Sequence[int], every: int, length: int) -> list[int]:
    """After so many requests somebody reads so many keys that nobody else wants."""
    found: list[int] = []
    for at in range(0, len(load), every):
        found += load[at : at + every]
        found += range(SCANNED + at, SCANNED + at + length)
    return found


def with_loops(load: Sequence[int], every: int, length: int) -> list[int]:
    """After so many requests somebody reads the same keys again, one after the other."""
    found: list[int] = []
    for at in range(0, len(load), every):
        found += load[at : at + every]
        found += range(SCANNED, SCANNED + length)
    return found


def shifting(load: Sequence[int], every: int, step: int, keys: int = KEYS) -> list[int]:
    """After so many requests other keys are the popular ones: each takes the place of another,
    `step` further on."""
    return [(key + at // every * step) % keys for at, key in enumerate(load)]


def sizes(rng: Random, most: int = 64) -> Callable[[int], int]:
    """Sizes of 1 to `most`, most of them small; always the same for a key."""
    known: dict[int, int] = {}

    def size(key: int) -> int:
        if key not in known:
            known[key] = int(min(most, max(1.0, rng.lognormvariate(1.5, 1.2))))
        return known[key]

    return size
