"""`quire sim provider-choice`: weighted choice of providers beside uniform draws, as a table.

Each figure is the mean over the seeds with its 95 % confidence interval (Student's t).
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from random import Random
from statistics import fmean, stdev
from typing import TypeAlias

from quire.point.choosing import WHOLE
from quire.sim.fairness_table import gini
from quire.sim.provider_choice import (
    HONEST,
    SYBILS,
    USUAL_PRICE,
    Kind,
    Policy,
    Setting,
    Uniform,
    Weighted,
    make_hosts,
    simulate,
)
from quire.sim.rng import Streams

SEEDS = 8
# Two-sided 95 % of Student's t by degrees of freedom; from 20 on the normal distribution is near.
_T95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23,
        2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10, 2.09)  # fmt: skip
_T95_MANY = 2.05

MakePolicy: TypeAlias = Callable[[Random], Policy]

POLICIES: tuple[tuple[str, MakePolicy], ...] = (
    ("uniform, with replacement", lambda rng: Uniform(rng, replaces=True)),
    ("uniform, without replacement", lambda rng: Uniform(rng, replaces=False)),
    ("weighted", lambda rng: Weighted(rng.randbytes(32))),
    ("weighted, blind to groups", lambda rng: Weighted(rng.randbytes(32), sees_groups=False)),
    ("weighted, whole reach", lambda rng: Weighted(rng.randbytes(32), narrowest=WHOLE)),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one seed. Shares 0..1; `refused` and `broken` for each chunk."""

    lost: float  # chunks without a copy at the end of the year
    shared: float  # chunks of which one operator was given two replicas or more
    largest: float  # share of one operator in all replicas, at its greatest
    sybils: float  # replicas given to Sybils
    refused: float  # links that failed before they held anything
    broken: float  # replicas that were lost later
    price: float  # of a replica-day, beside what is usual
    rtt: float  # seconds, of where replicas are
    big: float  # what a big provider is given, beside a small one
    gini: float  # of replicas given to small honest providers: 0 all have the same
    late: float  # what a latecomer is given in the second half, beside a small one from the start


@dataclass(frozen=True, slots=True)
class Interval:
    mean: float
    half: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        count = len(values)
        if count < 2:
            return cls(fmean(values), math.inf)
        t = _T95[count - 2] if count - 2 < len(_T95) else _T95_MANY
        return cls(fmean(values), t * stdev(values) / math.sqrt(count))


def measure(setting: Setting, make_policy: MakePolicy, seed: int) -> Figures:
    """One year. The providers follow from the seed alone: every policy meets the same ones."""
    hosts = make_hosts(setting, Streams(seed).stream("providers"))
    rng = Streams(seed).stream("year")
    chunks, tally = simulate(setting, make_policy(rng), rng, hosts)
    given = sum(host.given for host in hosts)
    counts = dict(setting.counts)
    sums = Counter[Kind]()
    for host in hosts:
        sums[host.kind] += host.given
    big = sums[Kind.BIG] / counts[Kind.BIG] if Kind.BIG in counts else 0.0
    small = sums[Kind.SMALL] / counts[Kind.SMALL]
    usual = tally.second_half[Kind.SMALL] / counts[Kind.SMALL]
    late = tally.second_half[Kind.LATE] / counts[Kind.LATE]
    return Figures(
        lost=tally.lost / len(chunks),
        shared=tally.shared / len(chunks),
        largest=tally.largest,
        sybils=sum(host.given for host in hosts if host.kind in SYBILS) / given,
        refused=tally.refused / len(chunks),
        broken=tally.broken / len(chunks),
        price=tally.price_days / tally.days / USUAL_PRICE,
        rtt=tally.rtt_days / tally.days,
        big=big / small,
        gini=gini([host.given for host in hosts if host.kind is Kind.SMALL]),
        late=late / usual if usual else 0.0,
    )


def compare(
    setting: Setting, seeds: Sequence[int], policies: Sequence[tuple[str, MakePolicy]] = POLICIES
) -> dict[str, dict[str, Interval]]:
    """By policy and figure."""
    return {
        name: _intervals([measure(setting, make_policy, seed) for seed in seeds])
        for name, make_policy in policies
    }


def _intervals(rows: Sequence[Figures]) -> dict[str, Interval]:
    return {
        each.name: Interval.of([getattr(row, each.name) for row in rows])
        for each in fields(Figures)
    }


def hidden(setting: Setting) -> Setting:
    """The same with Sybils of whom nothing shows that they are one."""
    counts = dict(setting.counts)
    number = sum(counts.pop(kind, 0) for kind in SYBILS)
    return replace(setting, counts=(*counts.items(), (Kind.HIDDEN, number)))


def remote(setting: Setting) -> Setting:
    """The same where all but the big ones are far away."""
    return replace(setting, usual_rtt=(0.4, 0.8))


HEAD = (
    "| choice | chunks lost % | two at one operator % | one operator's most % | to Sybils %"
    " | links failed | replicas lost | price | rtt ms | big : small | Gini | latecomers |"
)


def as_table(rows: dict[str, dict[str, Interval]]) -> list[str]:
    """Lines of Markdown."""
    return [
        HEAD,
        "|" + "---|" * (HEAD.count("|") - 1),
        *(_line(name, row) for name, row in rows.items()),
    ]


def _line(name: str, row: dict[str, Interval]) -> str:
    def shown(figure: str, scale: float = 1.0, places: int = 2) -> str:
        value = row[figure]
        return f"{value.mean * scale:.{places}f} ± {value.half * scale:.{places}f}"

    cells = (
        shown("lost", 100),
        shown("shared", 100, 1),
        shown("largest", 100, 1),
        shown("sybils", 100, 1),
        shown("refused"),
        shown("broken"),
        shown("price"),
        shown("rtt", 1000, 0),
        shown("big"),
        shown("gini"),
        shown("late"),
    )
    return f"| {name} | {' | '.join(cells)} |"


def report(argv: Sequence[str]) -> list[str]:
    """The lines to print."""
    parser = argparse.ArgumentParser(prog="quire sim provider-choice", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="years of each row")
    parser.add_argument("--seed", type=int, default=1, help="the first of them")
    parser.add_argument("--chunks", type=int, default=2, help="new chunks each day")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args(list(argv))
    if options.seeds < 1 or options.chunks < 1:
        parser.error("--seeds and --chunks must be at least 1")
    setting = Setting(chunks_per_day=options.chunks)
    seeds = range(options.seed, options.seed + options.seeds)
    parts = [
        compare(setting, seeds),
        compare(hidden(setting), seeds, POLICIES[:3]),
        compare(remote(setting), seeds, (POLICIES[1], POLICIES[2], POLICIES[4])),
    ]
    if options.json:
        names = ("groups", "hidden", "remote")
        shown = {
            name: {row: {k: asdict(v) for k, v in part[row].items()} for row in part}
            for name, part in zip(names, parts, strict=True)
        }
        return [json.dumps({"seeds": list(seeds), "chunksPerDay": options.chunks, **shown})]
    honest = sum(count for kind, count in setting.counts if kind in HONEST)
    setup = (
        f"{sum(n for _, n in setting.counts)} providers, {honest} of them honest and quick; "
        f"{options.seeds} years of {setting.days} days, {options.chunks} chunks a day, "
        f"{setting.replicas} replicas"
    )
    return [
        setup,
        "",
        *as_table(parts[0]),
        "",
        "The same with Sybils of whom nothing shows that they are one:",
        "",
        *as_table(parts[1]),
        "",
        "The same with groups, where all but the big ones are far away:",
        "",
        *as_table(parts[2]),
    ]
