"""How often what goes wrong, drawn for each seed.

Each kind of fault is absent in some seeds and frequent in others, so that a seed explores one
corner of the space instead of the middle of it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from quire.sim.faults import LINK_FAULTS, Fault, FaultKind, draw_fault

ABSENT = 0.45  # probability that a kind does not occur at all in a seed
PER_MINUTE = (0.1, 4.0)  # of one kind, all nodes together, where it occurs


@dataclass(frozen=True, slots=True)
class Rates:
    """Faults per virtual minute, by kind."""

    per_minute: dict[FaultKind, float]

    @classmethod
    def drawn(cls, rng: random.Random, kinds: Sequence[FaultKind]) -> Rates:
        low, high = (math.log(bound) for bound in PER_MINUTE)
        rates = {}
        for kind in kinds:
            is_absent, rate = rng.random() < ABSENT, math.exp(rng.uniform(low, high))
            if not is_absent:
                rates[kind] = rate
        return cls(rates)

    def schedule(self, rng: random.Random, nodes: Sequence[str], seconds: float) -> list[Fault]:
        """All faults of a phase of this length, by time. Every one of them ends."""
        faults: list[Fault] = []
        for kind, rate in self.per_minute.items():
            at = rng.expovariate(rate / 60.0)
            while at < seconds:
                if kind in LINK_FAULTS and len(nodes) < 2:
                    break
                faults.append(draw_fault(rng, kind, nodes, at))
                at += rng.expovariate(rate / 60.0)
        return sorted(faults, key=lambda fault: fault.at)

    def __str__(self) -> str:
        listed = ", ".join(f"{kind} {rate:.2f}" for kind, rate in self.per_minute.items())
        return f"faults a minute: {listed or 'none'}"
