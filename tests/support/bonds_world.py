"""A marketplace and its contract of submission bonds in a virtual machine of this process, and
aggregators with known keys."""

from __future__ import annotations

from eth_utils import to_checksum_address

from quire.chain.bonds import CLAIM_SECONDS, NOTICE_PERIODS, BondsDomain, Promise, promise_digest
from quire.kernels.signing import address_of, sign_recoverable
from support.contract_kit import HOST, TOKENS, Contract, Machine, Outcome, Setup, deployed
from support.contract_world import ORDER, World
from support.hub_world import CHAIN_ID, bytes_of

KEYS = tuple(bytes([0xE0 + number]) * 32 for number in range(2))
AGGREGATORS = tuple(to_checksum_address(address_of(key)) for key in KEYS)
KEY_OF = dict(zip(AGGREGATORS, KEYS, strict=True))
AGGREGATOR, RIVAL = AGGREGATORS
# Proofs are asked for in every period, and ten misses cost a slot.
SETUP = Setup(max_slashes=10, slash=5, downtime=0)
ALWAYS = ORDER.but(probability=1, slots=2, duration=20 * 24 * 3600)
NOTICE = CLAIM_SECONDS + NOTICE_PERIODS * SETUP.period


def deploy_bonds(machine: Machine, token: Contract, market: Contract) -> Contract:
    """Every aggregator has tokens and gas and lets it take them."""
    bonds = deployed(machine, "SubmissionBonds", ("address",), (market.at,))
    for each in AGGREGATORS:
        machine.evm.set_balance(each, 10**30)
        token.send(each, "mint", each, TOKENS)
        token.send(each, "approve", bonds.at, 2**256 - 1)
    return bonds


class BondsWorld:
    """The host holds two slots; the aggregator is its delegate and has a bond of 1000."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World(SETUP)
        self.machine, self.market = self.world.machine, self.world.market
        self.bonds = deploy_bonds(self.machine, self.world.token, self.market)
        self.domain = BondsDomain(CHAIN_ID, bytes_of(self.bonds.at))
        request = self.world.request(ALWAYS)
        self.slots = [self.world.fill(request, index, HOST) for index in range(ALWAYS.slots)]
        self.appoint(True)
        self.send(AGGREGATOR, "deposit", 1000)

    # ---- asking ----

    def bond(self, aggregator: str = AGGREGATOR) -> tuple[int, int, int]:
        """amount, leaving, leavesAt"""
        return tuple(self.bonds.call("bondOf", aggregator))

    def tokens(self, account: str) -> int:
        return self.world.balance(account)

    @property
    def held(self) -> int:
        """Tokens in the contract."""
        return self.tokens(self.bonds.at)

    # ---- doing ----

    def send(self, sender: str, name: str, *values: object) -> Outcome:
        return self.bonds.send(sender, name, *values)

    def appoint(self, is_allowed: bool, host: str = HOST) -> None:
        self.market.send(host, "setProofDelegate", AGGREGATOR, is_allowed)

    def miss(self, index: int = 0) -> int:
        """The next period passes, and is marked for that slot; it."""
        period = self.world.to_missed(self.slots[index])
        self.world.mark(self.slots[index], period)
        return period

    def promise(
        self,
        period: int,
        amount: int = 300,
        index: int = 0,
        host: str = HOST,
        aggregator: str = AGGREGATOR,
    ) -> Promise:
        return Promise(bytes_of(aggregator), bytes_of(host), self.slots[index], period, amount)

    def sign(self, promise: Promise, key: bytes | None = None) -> bytes:
        signer = key or KEY_OF[to_checksum_address(promise.aggregator)]
        return sign_recoverable(signer, promise_digest(self.domain, promise))

    def claim(
        self, promise: Promise, signature: bytes | None = None, sender: str = HOST
    ) -> Outcome:
        signed = self.sign(promise) if signature is None else signature
        return self.send(sender, "claim", *terms_of(promise), signed)


def terms_of(promise: Promise) -> tuple[object, ...]:
    """What `claim` takes besides the signature."""
    return (promise.aggregator, promise.slot_id, promise.period, promise.amount)
