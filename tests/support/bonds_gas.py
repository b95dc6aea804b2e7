"""What every call of the contract of submission bonds costs on a real chain."""

from __future__ import annotations

from quire.chain.bonds import CLAIM_SECONDS, BondsDomain, Promise, promise_digest
from quire.chain.deployment import LOCAL_CHAIN_ID
from quire.chain.dev_accounts import dev_account
from quire.kernels.signing import sign_recoverable
from support.contract_world import request_id, slot_id
from support.gas_bench import SETUP, Bench

CALLS = (
    *("deposit, first", "deposit, later", "claim", "claim, of what is to leave"),
    *("announce", "withdraw"),
)
COIN = 10**18
HOST, AGGREGATOR = 2, 8  # of the development accounts


async def measure_bonds(bench: Bench) -> dict[str, int]:
    """Gas by call."""
    on, gas = bench.on, {}
    at = await on.deploy("SubmissionBonds", ("address",), (bench.market,))
    aggregator, host = on.accounts[AGGREGATOR], on.accounts[HOST]

    async def send(sender: str, name: str, *values: object) -> int:
        return await on.send("SubmissionBonds", at, sender, name, *values)

    await on.send("TestToken", bench.token, aggregator, "approve", at, 2**256 - 1)
    gas["deposit, first"] = await send(aggregator, "deposit", 100 * COIN)
    gas["deposit, later"] = await send(aggregator, "deposit", 100 * COIN)
    await bench.send(host, "setProofDelegate", aggregator, True)
    order, _ = await bench.request()
    claims = []
    for index in range(2):
        await bench.fill(order, index, host)
    for index in range(2):
        slot = slot_id(request_id(order), index)
        await bench.miss(slot, on.accounts[9])
        period = await on.chain.time() // SETUP.period - 1
        promise = Promise(
            dev_account(AGGREGATOR).address, dev_account(HOST).address, slot, period, COIN
        )
        digest = promise_digest(BondsDomain(LOCAL_CHAIN_ID, bytes.fromhex(at[2:])), promise)
        claims.append((slot, period, COIN, sign_recoverable(dev_account(AGGREGATOR).key, digest)))
    gas["claim"] = await send(host, "claim", aggregator, *claims[0])
    gas["announce"] = await send(aggregator, "announce", 50 * COIN)
    gas["claim, of what is to leave"] = await send(host, "claim", aggregator, *claims[1])
    await on.chain.advance(CLAIM_SECONDS + 2 * SETUP.period + 1)
    gas["withdraw"] = await send(aggregator, "withdraw")
    return {f"bonds: {name}": cost for name, cost in gas.items()}
