"""`quire sim dispersal`: who gets the slots under each policy, as a table.

The first part is the comparison of market.md 3.6; the second changes one thing at a time.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean

from quire.chain.dispersal import choose_h, may_hold
from quire.sim.fairness import ATTACKER, Setting, Tally, simulate
from quire.sim.rng import Streams

SIZES = (50, 500, 5000)
REACTION_SECONDS = 60  # of an ordinary host, as choose_h wants it
TTL_SECONDS = 600
LOSS = 3  # slots that a request of the second part may lose
MIDDLE = 500
LINEAR = 5000
CROWDED = 3  # slots of one request at one host are too many from here on


@dataclass(frozen=True, slots=True)
class Figures:
    """What one setting comes to. Shares 0..1, seconds of the chain from the request on."""

    policy: str
    hosts: int
    h_bps: int
    fast_reserved: float  # share of the fastest tenth of the hosts
    fast_filled: float
    gini: float  # of fills: 0 all have the same, 1 one has everything
    distinct: float  # hosts of a request's slots
    operators: float
    crowded: float  # share of requests in which one host has more than CROWDED slots
    first: float
    third: float
    eligible: float  # hosts that the window lets in when a reservation is granted
    attacker: float  # share of reservations of the one operator with many addresses
    once: float  # of hosts that look once
    filled: float  # share of slots that are filled before the window ends
    filled_after: float


def measure(policy: str, setting: Setting, seed: int) -> Figures:
    rng = Streams(seed).stream(f"{policy}/{setting}")
    hosts, tally = simulate(setting, rng)
    granted = sum(tally.reserved) + tally.attacker_reserved
    fast = [n for n, host in enumerate(hosts) if host.is_fast]
    owned = [n for n, host in enumerate(hosts) if host.operator == ATTACKER]
    once = [n for n, host in enumerate(hosts) if host.looks_once]
    fills = sum(tally.filled)
    return Figures(
        policy=policy,
        hosts=setting.hosts,
        h_bps=setting.h_bps,
        fast_reserved=_share(sum(tally.reserved[n] for n in fast), granted),
        fast_filled=_share(sum(tally.filled[n] for n in fast), fills),
        gini=gini(tally.filled),
        distinct=fmean(len(set(fillers)) for fillers in tally.fillers),
        operators=fmean(
            len({hosts[n].operator if n != ATTACKER else ATTACKER for n in fillers})
            for fillers in tally.fillers
        ),
        crowded=_share(sum(_most(f) > CROWDED for f in tally.fillers), setting.requests),
        first=_mean(tally.first),
        third=_mean(tally.last),
        eligible=_mean(tally.eligible),
        attacker=_share(sum(tally.reserved[n] for n in owned) + tally.attacker_reserved, granted),
        once=_share(sum(tally.reserved[n] for n in once), granted),
        filled=_share(_filled(tally), tally.slots),
        filled_after=_mean(tally.filled_after),
    )


def gini(values: Sequence[int]) -> float:
    total, count = sum(values), len(values)
    if total == 0:
        return 0.0
    ranked = sum((2 * rank - count + 1) * value for rank, value in enumerate(sorted(values)))
    return ranked / (count * total)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0


def _most(fillers: Sequence[int]) -> int:
    return max(Counter(fillers).values(), default=0)


def _filled(tally: Tally) -> int:
    return sum(len(fillers) for fillers in tally.fillers)


def comparison(requests: int) -> list[tuple[str, Setting]]:
    """First come first served, a window that grows evenly, and windows that start slowly."""
    settings: list[tuple[str, Setting]] = []
    for name, h_bps in (("open", 0), ("linear", LINEAR), ("h=.1", 1000), ("h=.01", 100)):
        settings += [(name, Setting(hosts, h_bps, requests)) for hosts in SIZES]
    settings.append(("h=.001", Setting(SIZES[-1], 10, requests)))
    settings += [("chosen", _chosen(hosts, requests)) for hosts in SIZES]
    return settings


def _chosen(hosts: int, requests: int) -> Setting:
    setting = Setting(hosts, 0, requests, hold_limit=may_hold(LOSS))
    return replace(setting, h_bps=choose_h(hosts, setting.window, REACTION_SECONDS))


def changes(requests: int) -> list[tuple[str, Setting]]:
    """The chosen window, with one thing changed in each."""
    base = _chosen(MIDDLE, requests)
    first_come = replace(base, h_bps=0, hold_limit=0)
    return [
        ("as chosen", base),
        ("reservations last 600 s", replace(base, ttl=TTL_SECONDS)),
        ("a tenth is one attacker's", replace(base, sybil_share=0.1)),
        ("a third is one attacker's", replace(base, sybil_share=0.33)),
        ("the same, no registration", replace(base, sybil_share=0.33, is_registered=False)),
        ("a quarter never fills", replace(base, lazy_share=0.25)),
        ("half never fill", replace(base, lazy_share=0.5)),
        ("half never fill, 600 s", replace(base, lazy_share=0.5, ttl=TTL_SECONDS)),
        ("half look only once", replace(base, once_share=0.5)),
        ("half look only once, open", replace(first_come, once_share=0.5)),
        ("ten operators, 50 hosts each", replace(base, operator_hosts=50)),
        ("the same, open", replace(first_come, operator_hosts=50)),
        ("a freed slot, window 600 s", replace(base, window=600)),
    ]


HEAD = (
    "| policy | N | h | fast tenth: reserved / filled | Gini | hosts of 10 slots | operators"
    " | P(> 3 slots) | s to 1st / 3rd | let in | attacker | look once | filled | after s |"
)


def as_table(rows: Sequence[Figures]) -> list[str]:
    """Lines of Markdown."""
    return [HEAD, "|" + "---|" * (HEAD.count("|") - 1), *map(_line, rows)]


def _line(row: Figures) -> str:
    return (
        f"| {row.policy} | {row.hosts} | {row.h_bps / 10_000:g}"
        f" | {row.fast_reserved:.2f} / {row.fast_filled:.2f} | {row.gini:.2f}"
        f" | {row.distinct:.1f} | {row.operators:.1f} | {row.crowded:.2f}"
        f" | {row.first:.0f} / {row.third:.0f} | {row.eligible:.0f}"
        f" | {row.attacker:.2f} | {row.once:.2f} | {row.filled:.2f} | {row.filled_after:.0f} |"
    )


def report(argv: Sequence[str]) -> list[str]:
    """The lines to print."""
    parser = argparse.ArgumentParser(prog="quire sim dispersal", description=__doc__)
    parser.add_argument("--requests", type=int, default=300, help="requests of each row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args(list(argv))
    if options.requests < 1:
        parser.error("--requests must be at least 1")
    parts = [
        [measure(name, setting, options.seed) for name, setting in part(options.requests)]
        for part in (comparison, changes)
    ]
    if options.json:
        names = ("comparison", "changes")
        rows = {n: [asdict(row) for row in part] for n, part in zip(names, parts, strict=True)}
        return [json.dumps({"requests": options.requests, "seed": options.seed, **rows})]
    return [*as_table(parts[0]), "", *as_table(parts[1])]
