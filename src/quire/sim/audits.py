"""`quire sim audits`: how soon random audits find a replica of which a part is lost.

The production draw of blocks and the production times between audits; a provider lost a share of
the blocks all at once. A *miss* is an audit that asks for a lost block. A link is given up after
three misses in a row, so what is asked after a miss decides how much a miss is worth: the same
blocks once more, as production does, or others.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

from quire.point.audit import AUDIT_BLOCKS, Audits, detection
from quire.point.link_upkeep import AUDIT_SECONDS, AUDIT_SPREAD, AUDITS_FAILED_MAX
from quire.point.values import LINK_ID_BYTES
from quire.sim.rng import Streams

DAY_SECONDS = 86400
PATIENCE_SECONDS = 60 * DAY_SECONDS
SHARES = (0.005, 0.01, 0.05, 0.1, 0.5)
BLOCKS = (256, 145, 16)
RUNS = 4000
LINK = bytes(LINK_ID_BYTES)
_Z95 = 1.96


@dataclass(frozen=True, slots=True)
class Share:
    """Of runs, with its 95 % confidence interval (Wilson's)."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, hits: int, runs: int) -> Share:
        mean, z2 = hits / runs, _Z95**2
        middle = (mean + z2 / (2 * runs)) / (1 + z2 / runs)
        half = _Z95 * math.sqrt(mean * (1 - mean) / runs + z2 / (4 * runs**2)) / (1 + z2 / runs)
        return cls(mean, max(0.0, middle - half), min(1.0, middle + half))


@dataclass(frozen=True, slots=True)
class Figures:
    """`formula`: of a miss within a day, were blocks drawn with replacement. Hours are medians;
    infinite where most runs were not over after 60 days."""

    lost: float
    blocks: int
    formula: float
    missed: Share  # a miss within a day
    given_up: Share  # given up within a day and the three hours that three audits take
    given_up_others: Share  # the same, if other blocks were asked after a miss
    hours_missed: float
    hours_given_up: float
    hours_given_up_others: float


def first_times(
    rng: random.Random, blocks: int, lost: int, *, asks_again: bool
) -> tuple[float, float]:
    """Seconds from the loss to the first miss, and until the link is given up."""
    gone = set(rng.sample(range(blocks), lost))
    now = rng.random() * AUDIT_SECONDS  # the loss falls somewhere between two audits
    first, misses, audits = math.inf, 0, Audits()
    while now < PATIENCE_SECONDS:
        if gone.isdisjoint(audits.pick(rng, LINK, blocks)):
            misses = 0
            audits.passed(LINK)
        else:
            if not asks_again:
                audits.passed(LINK)
            misses += 1
            first = min(first, now)
            if misses >= AUDITS_FAILED_MAX:
                return first, now
        now += AUDIT_SECONDS * (1 - AUDIT_SPREAD + 2 * AUDIT_SPREAD * rng.random())
    return first, math.inf


def measure(lost_share: float, blocks: int, runs: int, seed: int) -> Figures:
    lost = max(1, round(lost_share * blocks))
    rng = Streams(seed).stream(f"audits/{lost}/{blocks}")
    same = [first_times(rng, blocks, lost, asks_again=True) for _ in range(runs)]
    other = [first_times(rng, blocks, lost, asks_again=False) for _ in range(runs)]
    late = DAY_SECONDS + AUDITS_FAILED_MAX * AUDIT_SECONDS
    return Figures(
        lost=lost / blocks,
        blocks=blocks,
        formula=detection(lost / blocks, AUDIT_BLOCKS * DAY_SECONDS // AUDIT_SECONDS),
        missed=Share.of(sum(first <= DAY_SECONDS for first, _ in same), runs),
        given_up=Share.of(sum(end <= late for _, end in same), runs),
        given_up_others=Share.of(sum(end <= late for _, end in other), runs),
        hours_missed=median(first for first, _ in same) / 3600,
        hours_given_up=median(end for _, end in same) / 3600,
        hours_given_up_others=median(end for _, end in other) / 3600,
    )


HEAD = (
    "| blocks | lost | by formula % | missed in a day % | given up % | with other blocks %"
    " | hours to a miss | until given up | with other blocks |"
)


def as_table(rows: Sequence[Figures]) -> list[str]:
    """Lines of Markdown."""
    return [HEAD, "|" + "---|" * (HEAD.count("|") - 1), *map(_line, rows)]


def _line(row: Figures) -> str:
    shares = (row.missed, row.given_up, row.given_up_others)
    hours = (row.hours_missed, row.hours_given_up, row.hours_given_up_others)
    cells = [f"{row.lost * 100:.1f} %", f"{row.formula * 100:.1f}"]
    cells += [f"{s.mean * 100:.1f} ({s.low * 100:.1f} to {s.high * 100:.1f})" for s in shares]
    cells += [f"{each:.1f}" if math.isfinite(each) else "> 1440" for each in hours]
    return f"| {row.blocks} | {' | '.join(cells)} |"


def report(argv: Sequence[str]) -> list[str]:
    """The lines to print."""
    parser = argparse.ArgumentParser(prog="quire sim audits", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="replicas of each row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args(list(argv))
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    rows = [
        measure(share, blocks, options.runs, options.seed)
        for blocks in BLOCKS
        for share in SHARES
        if share * blocks >= 1
    ]
    if options.json:
        found = [asdict(row) for row in rows]
        for row in found:
            for name, value in row.items():
                row[name] = None if value == math.inf else value
        return [json.dumps({"runs": options.runs, "seed": options.seed, "rows": found})]
    return as_table(rows)
