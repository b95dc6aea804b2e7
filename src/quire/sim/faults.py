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
    SYNC_FAILS = "sync-fails"  # the disk reports an error once, then the node starts again
    DISK_FULL = "disk-full"  # something else takes nearly all space for a while
    NO_SPACE = "no-space"  # single writes fail for want of space
    SLOW_DISK = "slow-disk"  # all work of the disk takes tens to hundreds of times longer
    READ_FAILS = "read-fails"  # single reads fail and succeed when repeated
    CLOCK_JUMP = "clock-jump"  # the calendar is set forward or back
    PARTITION = "partition"  # silence between two nodes
    ONE_WAY = "one-way"  # what one node sends does not reach the other
    RESET = "reset"  # the connection of two nodes ends
    # What follows destroys data on the medium: what was there may have to be fetched again.
    ROT = "rot"  # some bytes change
    BAD_SECTOR = "bad-sector"  # a stretch cannot be read any more, until it is written anew
    LOST_WRITE = "lost-write"  # a write is reported as done and is not
    MISDIRECTED = "misdirected"  # a write goes to another place of the same file


CRASHES = (FaultKind.POWER, FaultKind.POWER_AT_STEP, FaultKind.KILL)
NODE_FAULTS = (
    *CRASHES,
    FaultKind.RESTART,
    FaultKind.SYNC_FAILS,
    FaultKind.DISK_FULL,
    FaultKind.NO_SPACE,
    FaultKind.SLOW_DISK,
    FaultKind.READ_FAILS,
    FaultKind.CLOCK_JUMP,
)
LINK_FAULTS = (FaultKind.PARTITION, FaultKind.ONE_WAY, FaultKind.RESET)
MEDIUM_FAULTS = (
    FaultKind.ROT,
    FaultKind.BAD_SECTOR,
    FaultKind.LOST_WRITE,
    FaultKind.MISDIRECTED,
)
LASTING_LINK_FAULTS = (FaultKind.PARTITION, FaultKind.ONE_WAY)
JUMP_SECONDS_MAX = 3 * 86_400.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `seconds` is how long it lasts: a node is down, two are apart, a disk is slow."""

    at: float  # seconds after the start of the phase
    kind: FaultKind
    nodes: tuple[str, ...]
    seconds: float = 0.0
    steps: int = 0  # a count: changes of the disk until the crash, operations that fail
    notice_seconds: float = 0.0  # when the others see that the node is gone
    size: float = 0.0  # of a jump of the clock in seconds; of a slow disk: how many times slower

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
        kinds = LINK_FAULTS if rng.random() < 0.3 else NODE_FAULTS
        faults.append(draw_fault(rng, rng.choice(kinds), nodes, at))
        if rng.random() < 0.7:
            at = faults[-1].ends_at
    return faults


def draw_fault(rng: random.Random, kind: FaultKind, nodes: Sequence[str], at: float) -> Fault:
    """One fault of a kind, on nodes drawn from these."""
    seconds = 10 ** rng.uniform(-1.5, 1.1)
    if kind in LINK_FAULTS:
        pair = tuple(rng.sample(list(nodes), 2))
        return Fault(at, kind, pair, seconds if kind in LASTING_LINK_FAULTS else 0.0)
    victim = (rng.choice(list(nodes)),)
    steps = rng.randint(1, 40)
    notice = rng.choice((0.0, 0.0, 10 ** rng.uniform(-1.0, 1.3)))
    match kind:
        case FaultKind.SLOW_DISK:
            return Fault(at, kind, victim, seconds, size=10 ** rng.uniform(1.0, 2.7))
        case FaultKind.CLOCK_JUMP:
            size = rng.choice((-1, 1)) * min(JUMP_SECONDS_MAX, 10 ** rng.uniform(0.0, 6.0))
            return Fault(at, kind, victim, size=size)
        case FaultKind.NO_SPACE:
            return Fault(at, kind, victim, steps=rng.randint(1, 4))
        case FaultKind.READ_FAILS:
            return Fault(at, kind, victim, steps=1)
        case FaultKind.ROT | FaultKind.BAD_SECTOR | FaultKind.LOST_WRITE | FaultKind.MISDIRECTED:
            return Fault(at, kind, victim, steps=rng.randint(1, 3))
    return Fault(at, kind, victim, seconds, steps, notice)
