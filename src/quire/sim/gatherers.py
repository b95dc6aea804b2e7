"""Aggregators of every character: honest, lying, breaking promises, slow, leaving for good."""

from __future__ import annotations

import random
from collections.abc import Sequence

from quire.base.errors import ChainUnreachable
from quire.chain.memory.market import MemoryMarket
from quire.chain.port import Receipt
from quire.chain.values import SlotId
from quire.dataset.proof_input import ProofInput
from quire.services.aggregating.settings import AggregatorSettings
from quire.sim.liar import LIES
from quire.sim.members import Gathering
from quire.sim.prover import proof_of_public

BOND = 1000  # of each promise
GIB = 1 << 30
WAYS = (
    "honest",
    "false proofs",
    "promises without a key",
    "promises and nothing more",
    "says that it submitted",
)


class MuteMarket(MemoryMarket):
    """Of an account whose proofs get nowhere."""

    async def submit_proofs(self, proofs: Sequence[tuple[SlotId, bytes]]) -> Receipt:
        raise ChainUnreachable("the node of the chain does not answer")


class BoastfulMarket(MemoryMarket):
    """Of an account that sends no proofs, and says that it has."""

    async def submit_proofs(self, proofs: Sequence[tuple[SlotId, bytes]]) -> Receipt:
        return Receipt(bytes(range(32)), self.world.head.number, 1, 1)


def draw_gathering(rng: random.Random, *, is_good: bool) -> Gathering:
    """`is_good`: it does what it says and stays; it is dearer, so that others are asked first."""
    dearer = 60 if is_good else 0
    settings = AggregatorSettings(
        encode_price=(rng.randint(1, 9) + dearer) * GIB // 4096,
        first_percent=rng.choice((0, 50, 60, 100)),
        prove_price=rng.randint(1, 90) + dearer,
        submit_price=rng.randint(1, 90) + dearer,
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
            gathering.market = MuteMarket
        case "says that it submitted":
            gathering.market = BoastfulMarket
    return gathering


def _another_proof(made: ProofInput, _host: bytes | None) -> bytes:
    return proof_of_public((made.entropy,))
