"""What a proof costs alone and in batches of many hosts, by their delegate, on a real chain.

    PYTHONPATH=src:tests python -m support.batch_gas      measure and print the table

Every proof is a real one with four public inputs and its own challenge. Requests have 4 slots, each
at another host, as the market spreads them; every host made the sender its delegate. Slots go
in the order of their requests.
"""

from __future__ import annotations

import asyncio

from support.contract_world import Order, request_id, slot_id
from support.gas_bench import SETUP, Bench
from support.gas_chain import Chain
from support.local_chain import local_chain
from support.trapdoor import trapdoor

BATCHES = (1, 4, 8, 16, 32, 64)
HOSTS = 4
DELEGATE = 8  # of the accounts
SINGLE = "submitProof, real proof"
AIM = 70_000  # gas for each of 32


async def measure_batches(bench: Bench) -> dict[str, int]:
    """Gas by call. `submitProof`: the mean of one slot of each host."""
    hosts = bench.on.accounts[2 : 2 + HOSTS]
    delegate = bench.on.accounts[DELEGATE]
    await bench.on.to_period(100_000)  # no block of a period is cut short by the filling
    held, gas = await _filled(bench, hosts)
    await bench.on.to_period(SETUP.period)
    alone = []
    for place in held[:HOSTS]:
        proof = await bench.proof(*place)
        alone.append(await bench.send(place[2], "submitProof", _id(place), proof))
    gas[SINGLE] = round(sum(alone) / len(alone))
    allowed = [await bench.send(host, "setProofDelegate", delegate, True) for host in hosts]
    gas["setProofDelegate"] = max(allowed)
    for count in BATCHES:
        await bench.on.to_period(SETUP.period)
        gas[f"submitProofs, {count}"] = await _submit(bench, delegate, held[:count])
    await bench.on.to_period(SETUP.period)
    apart = held[::HOSTS] + held[1::HOSTS]
    gas["submitProofs, 32 of 16 requests"] = await _submit(bench, delegate, apart)
    revoked = await bench.send(hosts[0], "setProofDelegate", delegate, False)
    gas["setProofDelegate, takes it back"] = revoked
    return gas


Place = tuple[Order, int, str]  # request, slot index, host


async def _filled(bench: Bench, hosts: list[str]) -> tuple[list[Place], dict[str, int]]:
    held, fills = [], []
    for number in range(max(BATCHES) // HOSTS):
        order, _ = await bench.request(number)
        for index, host in enumerate(hosts):
            _, fill = await bench.fill(order, index, host)
            fills.append(fill)
            held.append((order, index, host))
    return held, {"fillSlot, real proof": max(fills)}


async def _submit(bench: Bench, delegate: str, places: list[Place]) -> int:
    proofs = [await bench.proof(*each) for each in places]
    return await bench.send(delegate, "submitProofs", list(map(_id, places)), proofs)


def _id(place: Place) -> bytes:
    return slot_id(request_id(place[0]), place[1])


def table(gas: dict[str, int]) -> str:
    """Markdown: gas of each batch, of each proof in it, and what part of one alone that is."""
    alone = gas[SINGLE]
    rows = [
        "| proofs | gas | each | of one alone |",
        "| ---: | ---: | ---: | ---: |",
        f"| `submitProof` | {alone:,} | {alone:,} | 100 % |",
    ]
    for count in BATCHES:
        total = gas[f"submitProofs, {count}"]
        each = total // count
        rows.append(f"| {count} | {total:,} | {each:,} | {each / alone:.1%} |".replace("%", " %"))
    return "\n".join(rows)


async def main() -> None:
    async with local_chain() as chain:
        accounts = await chain.call("eth_accounts")
        await chain.mine(300)
        gas = await measure_batches(await Bench.of(Chain(chain, accounts[:10]), trapdoor(4)))
    print(table(gas))
    print({name: each for name, each in gas.items() if "," not in name or "of 16" in name})


if __name__ == "__main__":
    asyncio.run(main())
