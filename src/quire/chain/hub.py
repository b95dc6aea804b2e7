"""The payment-channel hub as the rest of Quire sees it. Two implementations: `evm` and `memory`.

One token balance for each account inside the hub; from it the owner allocates to channels, one for
each payee. A payee takes what signed vouchers promise him; what is left of a channel comes back
CHALLENGE_SECONDS after its payer asked for it.

Source   point.md 4.2, variant B
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from quire.base.errors import InsufficientFunds
from quire.chain.port import ChainClock, Receipt
from quire.chain.values import Address

CHALLENGE_SECONDS = 86400


@dataclass(frozen=True, slots=True)
class HubChannel:
    """What the contract knows of (payer, payee). Sums ever since, never reset: `claimed` is at most
    `deposit`. `close_at` in unix seconds of the chain; 0 when no close is pending."""

    deposit: int = 0
    claimed: int = 0
    close_at: int = 0

    @property
    def free(self) -> int:
        """What vouchers can still take."""
        return self.deposit - self.claimed


@dataclass(frozen=True, slots=True)
class HubDomain:
    """Where a signature counts: EIP-712 domain {"StorageChannels", "1", chain_id, contract}."""

    chain_id: int
    contract: Address


@dataclass(frozen=True, slots=True)
class Claim:
    """A payer's promise of `cumulative` tokens since ever, with his signature, 65 bytes."""

    payer: Address
    cumulative: int
    signature: bytes = field(repr=False)


def too_little(doing: str, balance: int, needed: int) -> InsufficientFunds:
    """The balance inside the hub is not enough."""
    return InsufficientFunds(
        f"{doing} takes {needed} tokens (smallest unit) of the balance inside the hub, which has "
        f"{balance}: deposit {needed - balance} more",
        balance=balance,
        needed=needed,
    )


class Hub(Protocol):
    """One account at one hub. Every call may raise ChainUnreachable; what changes something raises
    Reverted, InsufficientFunds, NotMined as `chain.port.Market` does."""

    @property
    def account(self) -> Address: ...

    @property
    def domain(self) -> HubDomain: ...

    @property
    def clock(self) -> ChainClock: ...

    async def tokens(self) -> int:
        """Of this account outside the hub."""

    async def balance(self, account: Address | None = None) -> int:
        """Inside the hub and in no channel; of this account by default."""

    async def channels(self, pairs: Sequence[tuple[Address, Address]]) -> list[HubChannel]:
        """Of (payer, payee), as of one block."""

    async def delegates(self, payers: Sequence[Address]) -> list[Address | None]:
        """Who may sign vouchers for them besides themselves."""

    async def is_signed_by_contract(self, payer: Address, digest: bytes, signature: bytes) -> bool:
        """Whether the contract that `payer` is says that it signed this (ERC-1271). False where it
        is no contract, or has no answer."""

    async def deposit(self, amount: int) -> Receipt:
        """Tokens into the hub; allows it to take them first where needed (permit where the token
        can, so that it is one transaction)."""

    async def withdraw(self, amount: int) -> Receipt: ...

    async def allocate(self, sums: Sequence[tuple[Address, int]]) -> Receipt:
        """From the balance into channels, (payee, amount) each; ends a pending close."""

    async def claim(self, claims: Sequence[Claim]) -> Receipt:
        """As payee: what the vouchers promise, into this account's balance. All or nothing."""

    async def request_close(self, payee: Address) -> Receipt: ...

    async def release(self, payee: Address) -> Receipt:
        """After the challenge: what was not claimed, back into the balance."""

    async def set_delegate(self, signer: Address | None) -> Receipt:
        """Let another key sign vouchers of this account, or nobody's."""
