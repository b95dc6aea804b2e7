"""Aggregators of every character: honest, lying, breaking promises, slow, leaving for good."""

from __future__ import annotations

import random

from quire.dataset.proof_input import ProofInput
from quire.services.aggregating.settings import AggregatorSettings
from quire.sim.liar import LIES
from quire.sim.members import Gathering
from quire.sim.prover import proof_of_public

BOND = 1000  # of each promise
GIB = 1 << 30
WAYS = ("honest", "false proofs", "promises without a key", "promises and nothing more")


def draw_gathering(rng: random.Random, *, is_good: bool) -> Gathering:
    """`is_good`: it does what it says, and stays."""
    settings = AggregatorSettings(
        encode_price=rng.randint(1, 9) * GIB // 4096,
        first_percent=rng.choice((0, 50, 60, 100)),
        prove_price=rng.randint(1, 90),
        submit_price=rng.randint(1, 90),
        bond=BOND,
    )
    gathering = Gathering(settings, rng.choice((0.5, 5.0, 20.0)))
    if is_good:
        return gathering
    gathering.goes = rng.random() < 0.4
    gathering.seconds = rng.choice((1.0, 20.0, 200.0))
    gathering.way = rng.choice(WAYS)
    gathering.lie = rng.choice(("", rng.choice(list(LIES))))
    match gathering.way:
        case "false proofs":
            gathering.forge = _another_proof
        case "promises without a key":
            gathering.sign = lambda _: lambda _digest: bytes(64) + b"\x1b"
        case "promises and nothing more":
            gathering.is_mute = True
    return gathering


def _another_proof(made: ProofInput, _host: bytes | None) -> bytes:
    return proof_of_public((made.entropy,))
