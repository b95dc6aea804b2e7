"""One seed, many independent streams of randomness.

Each consumer asks for the stream of its own name. A stream depends on the seed and the name alone,
so a new consumer, or one that draws more than before, does not shift what the others draw.
"""

from __future__ import annotations

import random
from hashlib import sha256

from quire.base.rng import seeded_rng


class Streams:
    """The randomness of one simulated run."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def stream(self, name: str) -> random.Random:
        """A fresh generator for `name`; asking twice gives the same numbers twice."""
        digest = sha256(f"{self.seed}/{name}".encode()).digest()
        return seeded_rng(int.from_bytes(digest, "big"))
