"""Audits: random blocks of a replica that its provider has to show, bound to a fresh number.

`detection(0.05, 72)`: a provider that lost a twentieth of the blocks is found within a day of
hourly audits with 97.5 %.

Source   point.md 6.5
"""

from __future__ import annotations

from random import Random

AUDIT_BLOCKS = 3


def pick_blocks(rng: Random, blocks: int) -> tuple[int, ...]:
    """At most three different indices, ascending."""
    return tuple(sorted(rng.sample(range(blocks), min(AUDIT_BLOCKS, blocks))))


def detection(lost_share: float, shown_blocks: int) -> float:
    """The chance that at least one of the blocks asked for is a lost one."""
    return 1.0 - (1.0 - lost_share) ** shown_blocks
