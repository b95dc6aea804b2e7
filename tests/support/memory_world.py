"""A world in memory as tests start from it."""

from dataclasses import replace
from typing import Any

from quire.chain.memory.world import MemoryWorld
from quire.chain.terms import Extensions, Terms
from quire.chain.values import Ask, Content, StorageRequest

CLIENT, HOST, OTHER, THIRD, VALIDATOR = (bytes([number]) * 20 for number in range(0xA1, 0xA6))
ACCOUNTS = (CLIENT, HOST, OTHER, THIRD, VALIDATOR)
TOKENS = 10**15
RIGHT_NOW = 1_800_000_000
PROOF = bytes(range(1, 256)) + b"\1"

TERMS = Terms(
    chain_id=31337,
    contract=bytes([0xC0]) * 20,
    token=bytes([0x70]) * 20,
    repair_reward_percentage=10,
    max_slashes=2,
    slash_percentage=20,
    validator_reward_percentage=20,
    period=30,
    timeout=15,
    downtime=64,
    downtime_product=67,
    zkey_hash="",
    max_reservations=3,
    duration_limit=30 * 24 * 3600,
    extensions=Extensions(31),
)


def a_world(*, block_seconds: int = 1, automine: bool = True, **terms: Any) -> MemoryWorld:
    """Every account has tokens and gas; `terms` are changed as said."""
    world = MemoryWorld(
        replace(TERMS, **terms), RIGHT_NOW, block_seconds=block_seconds, automine=automine
    )
    for account in ACCOUNTS:
        world.mint(account, TOKENS)
    return world


def a_request(
    client: bytes = CLIENT, nonce: int = 1, expiry: int = 600, **ask: int
) -> StorageRequest:
    """One that costs little: fields of the ask are changed as said."""
    usual = Ask(
        proof_probability=1,
        price_per_byte_per_second=1,
        collateral_per_byte=100,
        slots=3,
        slot_size=1024,
        duration=3600,
        max_slot_loss=1,
    )
    content = Content(bytes.fromhex("01cd8001b220") + bytes(32), bytes(32))
    return StorageRequest(client, replace(usual, **ask), content, expiry, nonce.to_bytes(32, "big"))
