"""What goes wrong in a run and when, drawn from the seed before the run starts.

A schedule is finite and every fault ends: nodes start again, partitions heal, and after the last
one the wires are calm. So a run can always succeed, and one that does not has found a mistake.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    POWER = "power"  # loss of power now
    POWER_AT_STEP = "power-at-step"  # loss of power in the middle of the work of the disk
    KILL = "kill"  # the process dies, the machine goes on
    RESTART = "restart"  # an orderly stop and start
    PARTITION = "partition"  # silence between two nodes
    RESET = "reset"  # the connection of two nodes ends
    SYNC_FAILS = "sync-fails"  # the disk reports an error once, then the node starts again
    DISK_FULL = "disk-full"  # something else takes nearly all space for a while


NODE_FAULTS = (
    FaultKind.POWER,
    FaultKind.POWER_AT_STEP,
    FaultKind.KILL,
    FaultKind.RESTART,
    FaultKind.SYNC_FAILS,
    FaultKind.DISK_FULL,
)
LINK_FAULTS = (FaultKind.PARTITION, FaultKind.RESET)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `seconds` is how long the node is down or the nodes are apart."""

    at: float  # seconds after the start of the phase
    kind: FaultKind
    nodes: tuple[str, ...]
    seconds: float = 0.0
    steps: int = 0  # power-at-step: how many changes of the disk from the moment on
    notice_seconds: float = 0.0  # when the others see that the node is gone

    @property
    def ends_at(self) -> float:
        return self.at + self.seconds

    def __str__(self) -> str:
        return f"{self.kind} of {' and '.join(self.nodes)} for {self.seconds:.2f} s"


def draw_faults(rng: random.Random, nodes: Sequence[str], *, count_max: int) -> list[Fault]:
    """Faults from the start of a phase on, most of them one after the other; often few or none.

    Gaps and lengths range over orders of magnitude, so that some fall into the midst of the work
    of milliseconds, and some into long waits.
    """
    faults: list[Fault] = []
    at = 0.0
    for _ in range(rng.randint(0, count_max)):
        at += 10 ** rng.uniform(-3.0, 0.7)
        fault = _draw(rng, nodes, at, 10 ** rng.uniform(-1.5, 1.1))
        faults.append(fault)
        if rng.random() < 0.7:
            at = fault.ends_at
    return faults


def _draw(rng: random.Random, nodes: Sequence[str], at: float, seconds: float) -> Fault:
    if rng.random() < 0.3:
        kind = rng.choice(LINK_FAULTS)
        pair = tuple(rng.sample(list(nodes), 2))
        return Fault(at, kind, pair, seconds if kind is FaultKind.PARTITION else 0.0)
    return Fault(
        at,
        rng.choice(NODE_FAULTS),
        (rng.choice(list(nodes)),),
        seconds,
        steps=rng.randint(1, 40),
        notice_seconds=rng.choice((0.0, 0.0, 10 ** rng.uniform(-1.0, 1.3))),
    )
