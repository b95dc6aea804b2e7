"""Terms of a contract as the reference deploys them, for tests."""

from __future__ import annotations

from quire.chain.terms import Extensions, Terms

TERMS = Terms(
    chain_id=31337,
    contract=bytes([1] * 20),
    token=bytes([2] * 20),
    repair_reward_percentage=10,
    max_slashes=2,
    slash_percentage=20,
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
