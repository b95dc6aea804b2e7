"""A chain in memory behind the `Rpc` interface, which changes while it is asked.

Before each answer it may grow, lose its newest blocks to others, or fail to answer. What it was at
any moment is known to the test.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from quire.base.errors import ChainUnreachable, RpcRefused
from quire.chain.block import Log
from quire.chain.port import Head
from quire.chain.rpc_message import Call, Reply

ADDRESS = b"\x11" * 20
OTHER_ADDRESS = b"\x22" * 20
START_TIME = 1_700_000_000
BLOCK_SECONDS = 2


@dataclass(frozen=True, slots=True)
class FakeBlock:
    head: Head
    parent: bytes
    logs: tuple[Log, ...]


class FakeChain:
    """`unrest`: how likely it changes or fails before an answer, from 0 to 1."""

    shown_url = "fake://chain"
    tells_heads = True

    def __init__(self, rng: random.Random, *, unrest: float = 0.0, span_max: int = 9) -> None:
        self._rng = rng
        self._salt = 0
        self._listeners: list[Callable[[], None]] = []
        self._span_max = span_max
        self.unrest = unrest
        self.is_down = False
        self.pending_time = 0  # of the block to come; 0: the node does not know it
        self.rewinds = 0
        self.blocks: list[FakeBlock] = []
        self.mine(1)

    # ---- what a test does ----

    def mine(self, count: int) -> None:
        for _ in range(count):
            number = len(self.blocks)
            self._salt += 1
            digest = hashlib.sha256(b"%d %d" % (number, self._salt)).digest()
            parent = self.blocks[-1].head.hash if self.blocks else bytes(32)
            time = START_TIME + BLOCK_SECONDS * number
            logs = tuple(
                self._log(number, digest, index) for index in range(self._rng.choice((0, 0, 1, 3)))
            )
            self.blocks.append(FakeBlock(Head(number, digest, time), parent, logs))
        self.ring()

    def ring(self) -> None:
        """Say that there may be a new block."""
        for listener in self._listeners:
            listener()

    def reorganise(self, depth: int, longer_by: int = 1) -> None:
        """Replace the newest blocks by others, and so many more; fewer where that is negative."""
        depth = min(depth, len(self.blocks) - 1)
        del self.blocks[len(self.blocks) - depth :]
        self.rewinds += 1
        self.mine(max(1, depth + longer_by))

    def logs(self, after: int, depth: int = 0) -> list[Log]:
        """Of the contract, in blocks after this number, but for the newest ones."""
        last = len(self.blocks) - 1 - depth
        return [
            log
            for block in self.blocks
            for log in block.logs
            if after < block.head.number <= last and log.address == ADDRESS
        ]

    # ---- Rpc ----

    def on_head(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    async def call(
        self, method: str, params: Sequence[Any] = (), deadline: float | None = None
    ) -> Any:
        reply = (await self.batch([(method, params)], deadline))[0]
        if isinstance(reply, RpcRefused):
            raise reply
        return reply

    async def batch(self, calls: Sequence[Call], deadline: float | None = None) -> list[Reply]:
        return [self._answer(method, params) for method, params in calls]

    async def close(self) -> None:
        self._listeners.clear()

    def _answer(self, method: str, params: Sequence[Any]) -> Any:
        if self.is_down:
            raise ChainUnreachable("nobody answers")
        if self._rng.random() < self.unrest:
            self._change()
        if method == "eth_getBlockByNumber":
            return self._block(params[0])
        if method == "eth_getLogs":
            return self._logs(params[0])
        raise AssertionError(method)

    def _change(self) -> None:
        match self._rng.randrange(6):
            case 0:
                raise ChainUnreachable("the connection was lost")
            case 1 | 2:
                self.reorganise(self._rng.choice((1, 1, 2, 3, 7)), self._rng.choice((1, 1, 2)))
            case 3 if self._rng.randrange(4) == 0:
                self.reorganise(30, -25)
            case 3:
                self.mine(self._rng.choice((1, 20)))
            case _:
                self.mine(1)

    def _block(self, tag: str) -> dict[str, str] | None:
        if tag == "pending":
            return {"timestamp": hex(self.pending_time)} if self.pending_time else None
        number = len(self.blocks) - 1 if tag == "latest" else int(tag, 16)
        if number >= len(self.blocks):
            return None
        block = self.blocks[number]
        return {
            "number": hex(number),
            "hash": f"0x{block.head.hash.hex()}",
            "parentHash": f"0x{block.parent.hex()}",
            "timestamp": hex(block.head.timestamp),
            "baseFeePerGas": "0x7",
        }

    def _logs(self, span: dict[str, str]) -> Any:
        if "blockHash" in span:
            wanted = [b for b in self.blocks if f"0x{b.head.hash.hex()}" == span["blockHash"]]
            if not wanted:
                return RpcRefused("The chain's node refused: unknown block", rpc_code=-32000)
        else:
            first, last = int(span["fromBlock"], 16), int(span["toBlock"], 16)
            if last - first >= self._span_max:
                return RpcRefused("The chain's node refused: block range is too wide")
            wanted = self.blocks[first : last + 1]
        return [
            _shape(log)
            for block in wanted
            for log in block.logs
            if f"0x{log.address.hex()}" == span["address"]
        ]

    def _log(self, number: int, digest: bytes, index: int) -> Log:
        address = self._rng.choice((ADDRESS, ADDRESS, OTHER_ADDRESS))
        return Log(number, digest, index, address, (digest,), bytes([index]))


def _shape(log: Log) -> dict[str, object]:
    return {
        "blockNumber": hex(log.block),
        "blockHash": f"0x{log.block_hash.hex()}",
        "logIndex": hex(log.index),
        "transactionHash": "0x" + log.transaction.hex(),
        "address": f"0x{log.address.hex()}",
        "topics": [f"0x{topic.hex()}" for topic in log.topics],
        "data": f"0x{log.data.hex()}",
    }
