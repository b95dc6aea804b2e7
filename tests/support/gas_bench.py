"""A marketplace on a real chain whose calls are measured."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from quire.base.errors import RpcRefused
from support.contract_kit import MARKETPLACE_TYPES, RIGHT, Setup
from support.contract_world import ORDER, Order, request_id, slot_id
from support.gas_chain import Chain
from support.trapdoor import KEY_TYPE, Trapdoor

SETUP = Setup(max_slashes=2, slash=20, period=120, timeout=30)
LONG = ORDER.but(probability=1, duration=1_000_000, merkle_root=bytes([7] * 31 + [0]))


@dataclass
class Bench:
    """A marketplace and its players. `door`: of real proofs; None: the test verifier."""

    on: Chain
    token: str
    market: str
    verifier: str
    door: Trapdoor | None
    rng: random.Random = field(default_factory=lambda: random.Random(3))

    @classmethod
    async def of(cls, on: Chain, door: Trapdoor | None) -> Bench:
        token = await on.deploy("TestToken")
        if door is None:
            verifier = await on.deploy("TestVerifier")
        else:
            verifier = await on.deploy("Groth16Verifier", (KEY_TYPE,), (door.key,))
        values = (SETUP.config, token, verifier, SETUP.additions)
        market = await on.deploy("Marketplace", MARKETPLACE_TYPES, values)
        for account in on.accounts:
            await on.send("TestToken", token, account, "mint", account, 10**30)
            await on.send("TestToken", token, account, "approve", market, 2**256 - 1)
        return cls(on, token, market, verifier, door)

    async def send(self, sender: str, name: str, *values: Any) -> int:
        return await self.on.send("Marketplace", self.market, sender, name, *values)

    async def proof(self, order: Order, index: int, host: str) -> Any:
        if self.door is None:
            return RIGHT
        slot = slot_id(request_id(order), index)
        challenge = await self.on.ask("Marketplace", self.market, "getChallenge", slot)
        entropy = int.from_bytes(challenge[:31], "little")
        root = int.from_bytes(order.merkle_root, "little")
        return self.door.prove([entropy, root, index, int(host, 16)], self.rng)

    async def request(self, number: int = 0) -> tuple[Order, int]:
        order = LONG.but(client=self.on.accounts[1], nonce=bytes([number]) * 32)
        return order, await self.send(order.client, "requestStorage", order.encoded)

    async def fill(self, order: Order, index: int, host: str) -> tuple[int, int]:
        request = request_id(order)
        reserved = await self.send(host, "reserveSlot", request, index)
        proof = await self.proof(order, index, host)
        return reserved, await self.send(host, "fillSlot", request, index, proof)

    async def miss(self, slot: bytes, validator: str) -> int:
        """Mark the next proof that is due and missing."""
        while True:
            period = await self.on.to_period(SETUP.period)
            try:
                await self.on.ask("Marketplace", self.market, "canMarkProofAsMissing", slot, period)
            except RpcRefused:
                continue
            return await self.send(validator, "markProofAsMissing", slot, period)
