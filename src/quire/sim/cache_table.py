"""`quire sim cache`: how much of what is asked for is in a cache of bounded size, by policy."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from quire.sim.cache_loads import KEYS, shifting, sizes, with_loops, with_scans, zipf
from quire.sim.cache_rivals import Size, best, lru, ours
from quire.sim.rng import Streams

SKEWS = (0.6, 0.8, 1.0, 1.2)
SHARES = (0.01, 0.05, 0.2)
SKEW, SHARE = 0.9, 0.05  # of the loads that change
REQUESTS = 60_000


@dataclass(frozen=True, slots=True)
class Case:
    """One load on one cache. `share`: the cache's part of all that exists."""

    name: str
    share: float
    load: Sequence[int]
    capacity: int
    size: Size


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of bytes that were in the cache, 0 to 1."""

    name: str
    share: float
    lru: float
    ours: float
    best: float

    @property
    def gained(self) -> float:
        """Of what lies between LRU and the best."""
        return (self.ours - self.lru) / (self.best - self.lru) if self.best > self.lru else 0.0


def cases(requests: int, seed: int) -> Iterator[Case]:
    """Steady popularity first, then what makes it hard."""
    streams = Streams(seed)
    for skew in SKEWS:
        load = zipf(skew, requests, streams.stream(f"zipf {skew}"))
        for share in SHARES:
            yield _case(f"Zipf {skew}", share, load)
    load = zipf(SKEW, requests, streams.stream("changing"))
    hard = f"Zipf {SKEW}"
    yield _case(f"{hard}, a scan of 500 after each 1000", SHARE, with_scans(load, 1000, 500))
    yield _case(f"{hard}, a loop over 600 after each 2000", SHARE, with_loops(load, 2000, 600))
    yield _case(f"{hard}, all new after each 10 000", SHARE, shifting(load, 10_000, 977))
    yield _case(f"{hard}, all new after each 2000", SHARE, shifting(load, 2000, 977))
    yield _case(f"{hard}, one step further after each 100", SHARE, shifting(load, 100, 1))
    size = sizes(streams.stream("sizes"))
    whole = sum(map(size, range(KEYS)))
    for share in (SHARE, 0.2):
        yield Case(f"{hard}, sizes of 1 to 64", share, load, int(share * whole), size)


def _case(name: str, share: float, load: Sequence[int]) -> Case:
    return Case(name, share, load, int(share * KEYS), lambda _: 1)


def measure(case: Case) -> Rates:
    rates = [rate(case.load, case.capacity, case.size) for rate in (lru, ours, best)]
    return Rates(case.name, case.share, *rates)


HEAD = "| load | cache | LRU | Quire | best possible | of the way |"


def report(argv: Sequence[str]) -> list[str]:
    """The lines to print."""
    parser = argparse.ArgumentParser(prog="quire sim cache", description=__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="requests of each row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args(list(argv))
    if options.requests < 1:
        parser.error("--requests must be at least 1")
    rows = [measure(case) for case in cases(options.requests, options.seed)]
    if options.json:
        found = {"requests": options.requests, "seed": options.seed}
        return [json.dumps({**found, "rows": [asdict(row) for row in rows]})]
    return [HEAD, "|" + "---|" * (HEAD.count("|") - 1), *map(_line, rows)]


def _line(row: Rates) -> str:
    return (
        f"| {row.name} | {row.share:.0%} | {row.lru:.3f} | {row.ours:.3f} | {row.best:.3f}"
        f" | {row.gained:.0%} |"
    )
