"""Transactions on their way into a block, and what is to be done about each when a block comes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum, auto

from quire.chain.fees import Fees
from quire.chain.receipt import Mined
from quire.chain.values import Address
from quire.chain.wallet import Signed

REPLACE_BLOCKS = 3  # not taken for so long: offer more
GIVE_UP_BLOCKS = 50
KEPT_BLOCKS = 64  # for so long a block may be taken back, and the transaction is sent again


@dataclass(frozen=True, slots=True)
class Transaction:
    """A call of a contract. `gas_percent`: of the estimate, what may be used at most; more where
    the state may have changed until then (market.md 4.7)."""

    to: Address
    data: bytes = b""
    value: int = 0
    gas_percent: int = 100


class Next(Enum):
    """What to do about a transaction."""

    WAIT = auto()
    SETTLE = auto()  # tell who waits for it
    SEND_AGAIN = auto()  # its block was taken back
    REPLACE = auto()
    GIVE_UP = auto()


@dataclass(slots=True)
class Outgoing:
    """One nonce of this account. All of `sent` have it; at most one of them gets into the chain.

    Blocks are counted by looks: a local chain may make hundreds in a moment, and most of them
    before the transaction was there."""

    transaction: Transaction
    nonce: int
    gas: int
    fees: Fees
    sent: list[Signed]
    newest: int  # number of the newest block at the latest look
    done: asyncio.Future[Mined]
    blocks_sent: int = 0  # that came since it was sent
    blocks_offered: int = 0  # the same, of the latest of `sent`
    mined: Mined | None = None
    is_given_up: bool = False

    @property
    def most_wei(self) -> int:
        """What it may still cost."""
        return 0 if self.mined else self.gas * self.fees.most + self.transaction.value

    def seen(self, found: Mined | None, newest: int, depth: int) -> Next:
        """A look at the chain, whose newest block has this number, found it so."""
        was_mined, self.mined = self.mined is not None, found
        if newest > self.newest:
            self.blocks_sent += 1
            self.blocks_offered += 1
        self.newest = newest
        if found is not None:
            is_deep = newest >= found.receipt.block + depth
            return Next.SETTLE if is_deep and not self.done.done() else Next.WAIT
        if was_mined:
            self.blocks_sent = self.blocks_offered = 0
            return Next.SEND_AGAIN
        if self.blocks_sent >= GIVE_UP_BLOCKS:
            return Next.GIVE_UP
        return Next.REPLACE if self.blocks_offered >= REPLACE_BLOCKS else Next.WAIT

    def is_over(self, newest: int) -> bool:
        """Whether nothing can become of it any more."""
        if self.mined is None:
            return self.is_given_up
        return self.done.done() and newest > self.mined.receipt.block + KEPT_BLOCKS
