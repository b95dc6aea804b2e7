"""Receipts of transactions, and what a node means when it does not take one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from quire.base.errors import ChainUnreachable, RpcRefused
from quire.chain.block import HASH_BYTES
from quire.chain.port import Receipt
from quire.chain.quantity import octets, quantity
from quire.chain.values import ADDRESS_BYTES, Address


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction in a block. It may have failed there."""

    receipt: Receipt
    has_succeeded: bool


class Verdict(Enum):
    """What a node says to a signed transaction."""

    TAKEN = auto()
    NONCE_USED = auto()  # in a block already
    NONCE_BUSY = auto()  # by another transaction that waits, and pays too much to be replaced
    FEE_LOW = auto()
    POOR = auto()
    REFUSED = auto()


# Lower case; of geth, Anvil, Hardhat, Erigon, Nethermind, Besu and Reth. The first match counts.
_PHRASES = (
    (Verdict.TAKEN, ("already known", "already imported", "already exists", "alreadyknown")),
    (Verdict.TAKEN, ("known transaction", "same hash was already")),
    (Verdict.NONCE_USED, ("nonce too low", "nonce is too low", "oldnonce", "already been used")),
    (Verdict.NONCE_BUSY, ("replacement", "could not replace", "replace existing")),
    (Verdict.POOR, ("insufficient funds", "insufficientfunds", "doesn't have enough funds")),
    (Verdict.POOR, ("insufficient balance", "upfront cost", "lack of funds")),
    (Verdict.FEE_LOW, ("underpriced", "fee too low", "feetoolow", "base fee", "basefee")),
    (Verdict.FEE_LOW, ("gas price below", "gasprice too low", "gas price too low")),
)


def verdict_of(reply: object) -> Verdict:
    """Of what eth_sendRawTransaction was answered."""
    if not isinstance(reply, RpcRefused):
        return Verdict.TAKEN
    text = reply.message.lower()
    return next(
        (verdict for verdict, phrases in _PHRASES if any(phrase in text for phrase in phrases)),
        Verdict.REFUSED,
    )


def parse_mined(answer: Any) -> Mined | None:
    """A receipt; None while the transaction is in no block. Raises ChainUnreachable."""
    if answer is None:
        return None
    if not isinstance(answer, dict):
        raise ChainUnreachable("The chain's node answered with a receipt that is none")
    if answer.get("blockNumber") is None:
        return None
    gas_used = quantity(answer.get("gasUsed"), "gas")
    price = answer.get("effectiveGasPrice")
    return Mined(
        Receipt(
            octets(answer.get("transactionHash"), "transaction hash", HASH_BYTES),
            quantity(answer.get("blockNumber"), "block number"),
            gas_used,
            0 if price is None else gas_used * quantity(price, "gas price"),
        ),
        quantity(answer.get("status"), "status") == 1,
    )


def parse_sender(answer: Any) -> Address:
    """Who sent the transaction of a receipt. Raises ChainUnreachable."""
    if not isinstance(answer, dict):
        raise ChainUnreachable("The chain's node answered with a receipt that is none")
    return octets(answer.get("from"), "sender", ADDRESS_BYTES)
