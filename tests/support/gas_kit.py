"""What every call of the marketplace costs on a real chain, beside the reference's figures.

    PYTHONPATH=src:tests python -m support.gas_kit      measure, write contracts/gas.json and
                                                        docs/reference/gas.md

The conditions are those of the reference's figures (market.md 2.10): Anvil, a request of 4 slots.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from support.batch_gas import measure_batches, table
from support.bonds_gas import CALLS, measure_bonds
from support.contract_kit import RIGHT
from support.contract_world import request_id, slot_id
from support.gas_bench import SETUP, Bench
from support.gas_chain import Chain
from support.hub_gas import OURS, PROTOTYPE, measure_hub
from support.local_chain import local_chain
from support.trapdoor import trapdoor

ROOT = Path(__file__).parents[2]
SNAPSHOT = ROOT / "contracts" / "gas.json"
PAGE = ROOT / "docs" / "reference" / "gas.md"

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


async def measure() -> dict[str, int]:
    """Gas by call, the dearest of its kind."""
    async with local_chain() as chain:
        accounts = await chain.call("eth_accounts")
        await chain.mine(300)
        on = Chain(chain, accounts[:10])
        gas = await _with_test_verifier(await Bench.of(on, None))
        gas |= await _with_real_proofs(await Bench.of(on, trapdoor(4)))
        gas |= await measure_hub(Chain(chain, accounts, on.gas))
        gas |= await measure_bonds(await Bench.of(on, None))
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
    gas = await measure_batches(bench)
    assert bench.door is not None
    inputs = [bench.rng.getrandbits(250) for _ in range(4)]
    alone = bench.door.prove(inputs, bench.rng)
    gas["verify"] = await bench.on.send(
        "Groth16Verifier", bench.verifier, bench.on.accounts[2], "verify", alone, inputs
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

## Batches

Real proofs with four public inputs, each with its own challenge, alone (`submitProof`, by the
host; the mean of one slot of each host) and in one `submitProofs` by a delegate, in the same run
and all that they do included. Requests have 4 slots, each at another of 4 hosts, who all made the
sender their delegate; slots go in the order of their requests. The table alone:
`PYTHONPATH=src:tests python -m support.batch_gas`.

{batches}

Each further request in a batch costs 2.1 k once, each further host 2.3 k: 32 slots of 16 requests,
in no good order, take {apart:,}; of 32 requests at 32 hosts it would be 73.5 k each.
`setProofDelegate` takes {delegate:,}, taking it back {revoke:,}.

Cheaper still, and not here: one proof of many proofs takes one check however many they are, and 8
to 25 k for each slot (market.md 6.2, estimated), but minutes of proving and a setup of its own.
SnarkPack needs operations that the chain does not have.

## Submission bonds

| call | gas |
| --- | ---: |
{bonds}

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
    hub = [
        f"| {name} | {gas[key]:,} | {was:,} | {was - gas[key]:,} |"
        for name, was in PROTOTYPE.items()
        for key in [name if name in gas else f"hub: {name}"]
    ]
    hub += [f"| {name} | {gas[f'hub: {name}']:,} | | |" for name in OURS]
    bonds = [f"| deploy SubmissionBonds | {gas['deploy SubmissionBonds']:,} |"]
    bonds += [f"| {name} | {gas[f'bonds: {name}']:,} |" for name in CALLS]
    return TEXT.format(
        hub="\n".join(hub),
        calls="\n".join(calls),
        marketplace=gas["deploy Marketplace"],
        batches=table(gas),
        apart=gas["submitProofs, 32 of 16 requests"],
        delegate=gas["setProofDelegate"],
        revoke=gas["setProofDelegate, takes it back"],
        bonds="\n".join(bonds),
    )


def main() -> None:
    gas = asyncio.run(measure())
    SNAPSHOT.write_text(json.dumps(gas, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(page(gas))
    print(page(gas))


if __name__ == "__main__":
    main()
