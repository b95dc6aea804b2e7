"""The bonds of those who submit proofs for others, as the rest of Quire sees them. Two
implementations: `evm` and `memory`.

An aggregator puts tokens behind what it signs. A promise says: should this slot's proof of this
period be marked as missing, its host may take so much of the bond. One bond stands behind all
promises of an aggregator: who claims first is paid first.

Source   market.md 6.4; ADR 0039
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from quire.chain.eip712 import address_word, domain_separator, number_word, type_hash, typed_digest
from quire.chain.port import ChainClock, Receipt
from quire.chain.values import ID_BYTES, Address, SlotId
from quire.kernels.keccak import keccak256

CLAIM_SECONDS = 86400  # after the end of a period, in which its promises can be claimed
NOTICE_PERIODS = 2  # and CLAIM_SECONDS, from the announcement until a part of a bond may leave

NAME = b"QuireSubmissionBonds"
PROMISE_TYPE = (
    b"SubmitPromise(address aggregator,address host,bytes32 slotId,uint64 period,uint256 amount)"
)


@dataclass(frozen=True, slots=True)
class BondsDomain:
    """Where a promise counts: EIP-712 domain {"QuireSubmissionBonds", "1", chain_id, contract}."""

    chain_id: int
    contract: Address


@dataclass(frozen=True, slots=True)
class Promise:
    """Of `aggregator`: `amount` tokens for `host` if the slot's proof of the period is missing, but
    no more than that miss has cost. Of several for the same slot, period and host, one can be
    claimed."""

    aggregator: Address
    host: Address
    slot_id: SlotId
    period: int
    amount: int


@dataclass(frozen=True, slots=True)
class Bond:
    """`leaving` is a part of `amount` that was announced to leave at `leaves_at` (unix seconds of
    the chain; 0: nothing was) and covers claims until it does, before the rest."""

    amount: int = 0
    leaving: int = 0
    leaves_at: int = 0

    def until(self, timestamp: int) -> int:
        """What stays at least until then, but for claims."""
        is_gone = self.leaving > 0 and self.leaves_at < timestamp
        return self.amount - self.leaving if is_gone else self.amount


def promise_digest(domain: BondsDomain, promise: Promise) -> bytes:
    """What the aggregator signs, 32 bytes."""
    assert len(promise.slot_id) == ID_BYTES
    content = (
        type_hash(PROMISE_TYPE)
        + address_word(promise.aggregator)
        + address_word(promise.host)
        + promise.slot_id
        + number_word(promise.period)
        + number_word(promise.amount)
    )
    return typed_digest(domain_separator(domain, NAME), keccak256(content))


class Bonds(Protocol):
    """One account at one contract of bonds. Every call may raise ChainUnreachable; what changes
    something raises Reverted, InsufficientFunds, NotMined as `chain.port.Market` does."""

    @property
    def account(self) -> Address: ...

    @property
    def domain(self) -> BondsDomain: ...

    @property
    def clock(self) -> ChainClock: ...

    async def bond(self, account: Address | None = None) -> Bond:
        """Of an aggregator; of this account by default."""

    async def is_claimed(self, promise: Promise) -> bool:
        """Whether one for the same slot, period and host was claimed of the same aggregator."""

    async def deposit(self, amount: int) -> Receipt:
        """Tokens into the bond of this account; allows the contract to take them first."""

    async def announce(self, amount: int) -> Receipt:
        """That so much of the bond is to leave, NOTICE_PERIODS periods and CLAIM_SECONDS from now;
        instead of what was announced before. 0: nothing is."""

    async def withdraw(self) -> Receipt:
        """What was announced, once its time has come."""

    async def claim(self, promise: Promise, signature: bytes) -> Receipt:
        """As its host: what the promise says, at most what one miss of the slot costs and what the
        bond still has. The proof has to be marked as missing, less than CLAIM_SECONDS after the
        period's end, and the aggregator must have been free to submit: its appointment as delegate
        still stands and was not revoked since the period began. `signature`: of the aggregator, 65
        bytes."""
