"""What every call of the marketplace costs on a real chain, beside the reference's figures.

    PYTHONPATH=src:tests python -m support.gas_kit      measure, write contracts/gas.json and
                                                        docs/reference/gas.md

The conditions are those of the reference's figures (market.md 2.10): Anvil, a request of 4 slots.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quire.base.errors import RpcRefused
from support.contract_kit import MARKETPLACE_TYPES, RIGHT, Setup
from support.contract_world import ORDER, Order, request_id, slot_id
from support.gas_chain import Chain
from support.hub_gas import OURS, PROTOTYPE, measure_hub
from support.local_chain import local_chain
from support.trapdoor import KEY_TYPE, Trapdoor, trapdoor

ROOT = Path(__file__).parents[2]
SNAPSHOT = ROOT / "contracts" / "gas.json"
PAGE = ROOT / "docs" / "reference" / "gas.md"

SETUP = Setup(max_slashes=2, slash=20, period=120, timeout=30)
LONG = ORDER.but(probability=1, duration=1_000_000, merkle_root=bytes([7] * 31 + [0]))
BATCHES = (1, 2, 4, 8, 16, 32)

# market.md 2.10; of ranges the lower end. Real proofs: with the 249.1 k of the verifier added.
REFERENCE = {
    "requestStorage": 457_900,
    "reserveSlot": 94_900,
    "fillSlot": 316_000,
    "fillSlot, real proof": 565_000,
    "submitProof": 79_900,
    "submitProof, real proof": 329_000,
    "verify": 283_300,
    "markProofAsMissing": 147_700,
    "markProofAsMissing, evicts": 162_100,
    "reserveSlot, repair": 87_300,
    "fillSlot, repair": 265_400,
    "freeSlot, first of the request": 99_600,
    "freeSlot": 87_400,
    "withdrawFunds": 51_650,
    "deploy TestToken": 550_000,
    "deploy Groth16Verifier": 1_050_000,
}


@dataclass
class Bench:
    """A marketplace and its players. `door`: of real proofs; None: the test verifier."""

    on: Chain
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
        return cls(on, market, verifier, door)

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


async def measure() -> dict[str, int]:
    """Gas by call, the dearest of its kind."""
    async with local_chain() as chain:
        accounts = await chain.call("eth_accounts")
        await chain.mine(300)
        on = Chain(chain, accounts[:10])
        gas = await _with_test_verifier(await Bench.of(on, None))
        gas |= await _with_real_proofs(await Bench.of(on, trapdoor(4)))
        gas |= await measure_hub(Chain(chain, accounts, on.gas))
        return on.gas | gas


async def _with_test_verifier(bench: Bench) -> dict[str, int]:
    gas: dict[str, int] = {}
    hosts = bench.on.accounts[2:]
    order, gas["requestStorage"] = await bench.request()
    filled = [await bench.fill(order, i, hosts[i % 3]) for i in range(4)]
    gas["reserveSlot"] = max(reserved for reserved, _ in filled)
    gas["fillSlot"] = max(fill for _, fill in filled)
    request = request_id(order)
    first = slot_id(request, 0)
    await bench.on.to_period(SETUP.period)
    gas["submitProof"] = await bench.send(hosts[0], "submitProof", first, RIGHT)
    gas["markProofAsMissing"] = await bench.miss(first, bench.on.accounts[9])
    gas["markProofAsMissing, evicts"] = await bench.miss(first, bench.on.accounts[9])
    repaired = await bench.fill(order, 0, hosts[4])
    gas["reserveSlot, repair"], gas["fillSlot, repair"] = repaired
    end = await bench.on.ask("Marketplace", bench.market, "requestEnd", request)
    await bench.on.chain.warp(end + 1)
    holders = (hosts[4], hosts[1], hosts[2], hosts[0])
    freed = [
        await bench.send(host, "freeSlot(bytes32)", slot_id(request, i))
        for i, host in enumerate(holders)
    ]
    gas["freeSlot, first of the request"], gas["freeSlot"] = freed[0], max(freed[1:])
    gas["withdrawFunds"] = await bench.send(order.client, "withdrawFunds(bytes32)", request)
    return gas


async def _with_real_proofs(bench: Bench) -> dict[str, int]:
    gas: dict[str, int] = {}
    host, delegate = bench.on.accounts[2], bench.on.accounts[8]
    held: list[tuple[Order, int]] = []
    await bench.on.to_period(100_000)  # no block of a period is cut short by the filling
    for number in range(8):
        order, _ = await bench.request(number)
        for index in range(4):
            _, fill = await bench.fill(order, index, host)
            gas["fillSlot, real proof"] = max(fill, gas.get("fillSlot, real proof", 0))
            held.append((order, index))
    slots = [slot_id(request_id(order), index) for order, index in held]
    await bench.on.to_period(SETUP.period)
    proof = await bench.proof(*held[0], host)
    gas["submitProof, real proof"] = await bench.send(host, "submitProof", slots[0], proof)
    assert bench.door is not None
    inputs = [bench.rng.getrandbits(250) for _ in range(4)]
    alone = bench.door.prove(inputs, bench.rng)
    gas["verify"] = await bench.on.send(
        "Groth16Verifier", bench.verifier, host, "verify", alone, inputs
    )
    await bench.send(host, "setProofDelegate", delegate, True)
    for count in BATCHES:
        await bench.on.to_period(SETUP.period)
        proofs = [await bench.proof(*each, host) for each in held[:count]]
        gas[f"submitProofs, {count}"] = await bench.send(
            delegate, "submitProofs", slots[:count], proofs
        )
    return gas


TEXT = """\
# What the contracts cost

Measured on Anvil with a request of 4 slots, as the reference's figures were (those are of its
bytecode, with the cheaper end where there is a range). `fillSlot` and `submitProof` are with the
test verifier; *real proof* with a key of four public inputs. Of several calls the dearest counts.
`tests/contracts/test_gas.py` measures again and compares; this page and `contracts/gas.json` are
written by `PYTHONPATH=src:tests python -m support.gas_kit`.

| call | gas | reference | saved |
| --- | ---: | ---: | ---: |
{calls}
| deploy Marketplace | {marketplace:,} | 4,230,000 | |

The marketplace is larger than the reference's by what it has beyond it (`contracts/README.md`).

`submitProofs` by a delegate for a host, slots of requests of 4 slots each, all that it does
included:

| proofs | gas | each |
| ---: | ---: | ---: |
{batches}

## Payment channels

The hub beside the prototype that point.md 4.2 measures (variant B), in the same order of calls.
Ours has what that one lacks: a deposit looks whether all of it came in and whether deposits are
stopped, a claim takes signatures of delegates and contracts too. Later claims of a channel cost
what `claim, later` says.

| call | gas | prototype | saved |
| --- | ---: | ---: | ---: |
{hub}
"""


def page(gas: dict[str, int]) -> str:
    """docs/reference/gas.md."""
    calls = [
        f"| {name} | {gas[name]:,} | {reference:,} | {reference - gas[name]:,} |"
        for name, reference in REFERENCE.items()
    ]
    batches = [
        f"| {count} | {(total := gas[f'submitProofs, {count}']):,} | {total // count:,} |"
        for count in BATCHES
    ]
    hub = [
        f"| {name} | {gas[key]:,} | {was:,} | {was - gas[key]:,} |"
        for name, was in PROTOTYPE.items()
        for key in [name if name in gas else f"hub: {name}"]
    ]
    hub += [f"| {name} | {gas[f'hub: {name}']:,} | | |" for name in OURS]
    return TEXT.format(
        hub="\n".join(hub),
        calls="\n".join(calls),
        marketplace=gas["deploy Marketplace"],
        batches="\n".join(batches),
    )


def main() -> None:
    gas = asyncio.run(measure())
    SNAPSHOT.write_text(json.dumps(gas, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(page(gas))
    print(page(gas))


if __name__ == "__main__":
    main()
