"""`quire sim lazy-repair`: what waiting for a second loss saves, and what it risks.

Hosts fail at random; a failure is found, the gate (the production one) opens, and all free slots
are rebuilt at once, from K others: K + f - 1 slots' worth of traffic for f of them.

Source   market.md 5.3
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from heapq import heappop, heappush

from quire.chain.repair_gate import opens_at
from quire.chain.terms import LazyRepair
from quire.sim.rng import Streams

HOUR = 3600
DAY = 24 * HOUR
FAILS_AFTER = 60 * DAY  # a host, on average
DURATION = 30 * DAY
FOUND_AFTER = 6 * HOUR
REBUILT_AFTER = 12 * HOUR
SHAPES = (
    (2, 1, (1,)),
    (4, 2, (1,)),
    (10, 5, (1, 2, 3)),
    (10, 10, (1, 3, 5, 8)),
    (20, 20, (1, 5, 8)),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Averages over the runs; traffic in slots downloaded per request."""

    k: int
    m: int
    threshold: int
    loss: float  # share of requests that lost more than m slots at a time
    traffic: float
    per_eviction: float


def simulate(k: int, m: int, threshold: int, runs: int, rng: random.Random) -> Outcome:
    policy = LazyRepair(threshold=threshold, max_delay=DURATION)
    lost = evictions = traffic = 0
    for _ in range(runs):
        is_lost, found, read = _one(k, m, policy, rng)
        lost, evictions, traffic = lost + is_lost, evictions + found, traffic + read
    return Outcome(k, m, threshold, lost / runs, traffic / runs, traffic / max(1, evictions))


def _one(k: int, m: int, policy: LazyRepair, rng: random.Random) -> tuple[bool, int, int]:
    """Whether the dataset is lost, slots evicted, slots' worth of traffic of one request."""
    events: list[tuple[float, str, int]] = []  # (second, what, slots)
    for _ in range(k + m):
        heappush(events, (rng.expovariate(1 / FAILS_AFTER), "fails", 1))
    missing = free = evictions = traffic = 0
    oldest = 0.0
    while events and events[0][0] < DURATION:
        now, what, slots = heappop(events)
        if what == "fails":
            missing += 1
            if missing > m:
                return True, evictions, traffic
            heappush(events, (now + FOUND_AFTER, "found", 1))
        elif what == "found":
            evictions += 1
            oldest = oldest if free else now
            free += 1
            if now >= opens_at(policy, m, free, int(oldest)):
                traffic += k + free - 1
                heappush(events, (now + REBUILT_AFTER, "rebuilt", free))
                free = 0
        else:
            missing -= slots
            for _ in range(slots):
                heappush(events, (now + rng.expovariate(1 / FAILS_AFTER), "fails", 1))
    return False, evictions, traffic


def report(argv: Sequence[str]) -> list[str]:
    """The lines to print."""
    parser = argparse.ArgumentParser(prog="quire sim lazy-repair", description=__doc__)
    parser.add_argument("--runs", type=int, default=3000, help="requests of each row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args(list(argv))
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    streams = Streams(options.seed)
    rows = [
        simulate(k, m, threshold, options.runs, streams.stream(f"{k}+{m}/{threshold}"))
        for k, m, thresholds in SHAPES
        for threshold in thresholds
    ]
    if options.json:
        return [json.dumps({"runs": options.runs, "rows": [asdict(row) for row in rows]})]
    return [
        "| K+M | threshold | P(loss) | traffic | per eviction |",
        "|---|---|---|---|---|",
        *(
            f"| {row.k}+{row.m} | {row.threshold} | {row.loss:.4f} | {row.traffic:.1f}"
            f" | {row.per_eviction:.1f} |"
            for row in rows
        ),
    ]
