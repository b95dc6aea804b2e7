"""Blocks and logs as nodes of chains tell them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quire.base.errors import ChainUnreachable
from quire.chain.port import Head
from quire.chain.quantity import octets, quantity
from quire.chain.values import ADDRESS_BYTES, Address

HASH_BYTES = 32
TOPICS_MAX = 4


@dataclass(frozen=True, slots=True)
class Block:
    """`base_fee` in wei per gas; None on a chain of before EIP-1559."""

    head: Head
    parent: bytes
    base_fee: int | None


@dataclass(frozen=True, slots=True)
class Log:
    """What a contract told in a block. `index`: its place among the logs of the block;
    `transaction`: the hash of the one in which it did."""

    block: int
    block_hash: bytes
    index: int
    address: Address
    topics: tuple[bytes, ...]
    data: bytes
    transaction: bytes = bytes(HASH_BYTES)


def parse_block(answer: Any) -> Block | None:
    """A block without its transactions; None when the node has none. Raises ChainUnreachable."""
    if answer is None:
        return None
    if not isinstance(answer, dict):
        raise ChainUnreachable("The chain's node answered with a block that is none")
    fee = answer.get("baseFeePerGas")
    return Block(
        Head(
            quantity(answer.get("number"), "block number"),
            octets(answer.get("hash"), "block hash", HASH_BYTES),
            quantity(answer.get("timestamp"), "block's time"),
        ),
        octets(answer.get("parentHash"), "block hash", HASH_BYTES),
        None if fee is None else quantity(fee, "base fee"),
    )


def parse_logs(answer: Any) -> list[Log]:
    """In the order of the chain. Those that the node tells as removed are left out.
    Raises ChainUnreachable."""
    if not isinstance(answer, list):
        raise ChainUnreachable("The chain's node answered with logs that are none")
    logs = [_log(part) for part in answer if not _is_removed(part)]
    return sorted(logs, key=lambda log: (log.block, log.index))


def _is_removed(part: Any) -> bool:
    return isinstance(part, dict) and part.get("removed") is True


def _log(part: Any) -> Log:
    topics = part.get("topics") if isinstance(part, dict) else None
    if not isinstance(topics, list) or len(topics) > TOPICS_MAX:
        raise ChainUnreachable("The chain's node answered with a log that is none")
    return Log(
        quantity(part.get("blockNumber"), "block number"),
        octets(part.get("blockHash"), "block hash", HASH_BYTES),
        quantity(part.get("logIndex"), "log index"),
        octets(part.get("address"), "address", ADDRESS_BYTES),
        tuple(octets(topic, "topic", HASH_BYTES) for topic in topics),
        octets(part.get("data"), "log's data"),
        octets(part.get("transactionHash"), "transaction hash", HASH_BYTES),
    )
