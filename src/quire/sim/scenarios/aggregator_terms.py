"""The contract and the circuit of the scenario with aggregators."""

from __future__ import annotations

from quire.chain.terms import Extensions, Terms
from quire.dataset.circuit import CircuitParameters

CIRCUIT = CircuitParameters(samples=3, block_depth=1)
TERMS = Terms(
    chain_id=31337,
    contract=bytes([0xCC] * 20),
    token=bytes([0xDD] * 20),
    repair_reward_percentage=10,
    max_slashes=100,  # nobody loses a slot here
    slash_percentage=1,
    validator_reward_percentage=20,
    period=120,
    timeout=30,
    downtime=64,
    downtime_product=67,
    zkey_hash="",
    max_reservations=3,
    duration_limit=30 * 86_400,
    extensions=Extensions(31),
    proof_inputs=4,
)
