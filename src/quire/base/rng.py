"""Randomness as an argument, so that the same seed gives the same run.

Everything takes a `random.Random`. A node passes `system_rng()`, the simulator `seeded_rng(seed)`.
"""

from __future__ import annotations

import random


def system_rng() -> random.Random:
    """Unpredictable randomness of the operating system."""
    return random.SystemRandom()


def seeded_rng(seed: int) -> random.Random:
    """Reproducible randomness; for simulation only."""
    return random.Random(seed)  # noqa: S311 - simulation must be reproducible
