"""What every call of the hub of payment channels costs on a real chain, beside the prototype's
figures (point.md 4.2, variant B), in the order in which those were measured."""

from __future__ import annotations

from dataclasses import dataclass

from quire.chain.deployment import LOCAL_CHAIN_ID
from quire.chain.dev_accounts import dev_account
from quire.chain.eip712 import domain_separator, permit_digest
from quire.chain.hub import CHALLENGE_SECONDS, HubDomain
from quire.chain.values import Address
from quire.channels.voucher import sign_voucher
from quire.kernels.signing import sign_recoverable
from support.gas_chain import Chain

PROTOTYPE = {
    "deploy ChannelHub": 1_000_479,
    "deposit, first": 80_380,
    "deposit, later": 46_180,
    "allocate, 1 payee": 55_870,
    "allocate, 10 payees": 310_882,
    "allocate, top up": 38_758,
    "claim, first": 61_881,
    "claim, later": 44_781,
    "claim, 10 payers": 194_662,
    "withdraw": 60_777,
    "requestClose": 46_118,
    "release": 34_741,
    "token: transfer to a new holder": 51_300,
    "token: transfer": 34_200,
}
OURS = ("deposit with permit", "claim, signed by a delegate", "setDelegate", "approve and deposit")
COIN = 10**18
PAYER, PAYEE, HOT = 1, 2, 3  # of the development accounts
PAYERS = range(9, 19)


@dataclass
class HubBench:
    on: Chain
    token: str
    hub: str

    @classmethod
    async def of(cls, on: Chain) -> HubBench:
        token = await on.deploy("TestToken")
        hub = await on.deploy("ChannelHub", ("address", "address"), (token, on.accounts[0]))
        bench = cls(on, token, hub)
        for index in (PAYER, *PAYERS):
            await bench.of_token(index, "mint", on.accounts[index], 10**24)
            await bench.of_token(index, "approve", hub, 2**256 - 1)
        return bench

    async def send(self, index: int, name: str, *values: object) -> int:
        return await self.on.send("ChannelHub", self.hub, self.on.accounts[index], name, *values)

    async def of_token(self, index: int, name: str, *values: object) -> int:
        return await self.on.send("TestToken", self.token, self.on.accounts[index], name, *values)

    def voucher(self, payer: int, coins: int, key_of: int | None = None) -> bytes:
        separator = domain_separator(HubDomain(LOCAL_CHAIN_ID, self.address(self.hub)))
        key = dev_account(payer if key_of is None else key_of).key
        people = dev_account(payer).address, dev_account(PAYEE).address
        return sign_voucher(key, separator, *people, coins * COIN).signature

    async def permit(self, index: int, amount: int) -> tuple[int, int, int, bytes, bytes]:
        """What `depositWithPermit` takes."""
        separator = await self.on.ask("TestToken", self.token, "DOMAIN_SEPARATOR")
        nonce = await self.on.ask("TestToken", self.token, "nonces", self.on.accounts[index])
        owner, deadline = dev_account(index), 2**40
        digest = permit_digest(
            separator, owner.address, self.address(self.hub), amount, nonce, deadline
        )
        signature = sign_recoverable(owner.key, digest)
        return (amount, deadline, signature[64], signature[:32], signature[32:64])

    @staticmethod
    def address(text: str) -> Address:
        return bytes.fromhex(text.removeprefix("0x"))


async def measure_hub(on: Chain) -> dict[str, int]:
    """Gas by call."""
    bench = await HubBench.of(on)
    gas, people = {}, bench.on.accounts
    payee = people[PAYEE]
    gas["deposit, first"] = await bench.send(PAYER, "deposit", 10**4 * COIN)
    gas["deposit, later"] = await bench.send(PAYER, "deposit", 10**4 * COIN)
    gas["allocate, 1 payee"] = await bench.send(PAYER, "allocate", [payee], [100 * COIN])
    strangers = [f"0x{number:040x}" for number in range(0xAAAA, 0xAAAA + 10)]
    gas["allocate, 10 payees"] = await bench.send(PAYER, "allocate", strangers, [100 * COIN] * 10)
    gas["allocate, top up"] = await bench.send(PAYER, "allocate", [payee], [COIN])
    gas["claim, first"] = await _claim(bench, 1)
    gas["claim, later"] = await _claim(bench, 2)
    for index in PAYERS:
        await bench.send(index, "deposit", 100 * COIN)
        await bench.send(index, "allocate", [payee], [10 * COIN])
    gas["claim, 10 payers"] = await bench.send(
        PAYEE,
        "claim",
        [people[index] for index in PAYERS],
        [COIN] * len(PAYERS),
        [bench.voucher(index, 1) for index in PAYERS],
    )
    gas["withdraw"] = await bench.send(PAYEE, "withdraw", COIN)
    gas["token: transfer to a new holder"] = await bench.of_token(PAYER, "transfer", people[HOT], 1)
    gas["token: transfer"] = await bench.of_token(PAYER, "transfer", people[HOT], 1)
    gas["requestClose"] = await bench.send(PAYER, "requestClose", payee)
    await on.chain.advance(CHALLENGE_SECONDS + 1)
    await _claim(bench, 4)
    gas["release"] = await bench.send(PAYER, "release", payee)
    gas |= await _additions(bench)
    return {f"hub: {name}": cost for name, cost in gas.items()}


async def _additions(bench: HubBench) -> dict[str, int]:
    """What the prototype does not have."""
    gas, payee = {}, bench.on.accounts[PAYEE]
    await bench.send(PAYER, "allocate", [payee], [100 * COIN])
    gas["setDelegate"] = await bench.send(PAYER, "setDelegate", bench.on.accounts[HOT])
    gas["claim, signed by a delegate"] = await _claim(bench, 5, HOT)
    await bench.of_token(PAYER, "approve", bench.hub, 0)
    approved = await bench.of_token(PAYER, "approve", bench.hub, COIN)
    gas["approve and deposit"] = approved + await bench.send(PAYER, "deposit", COIN)
    await bench.of_token(HOT, "mint", bench.on.accounts[HOT], COIN)
    gas["deposit with permit"] = await bench.send(
        PAYER, "depositWithPermit", *await bench.permit(PAYER, COIN)
    )
    return gas


async def _claim(bench: HubBench, coins: int, key_of: int | None = None) -> int:
    voucher = bench.voucher(PAYER, coins, key_of)
    return await bench.send(PAYEE, "claim", [bench.on.accounts[PAYER]], [coins * COIN], [voucher])
