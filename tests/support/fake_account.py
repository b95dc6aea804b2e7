"""The node of a chain as one account sees it, in memory: a pool, and blocks when a test says so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import rlp

from quire.base.errors import ChainUnreachable, RpcRefused
from quire.chain.rpc_message import Call, Reply
from quire.kernels.keccak import keccak256


@dataclass(frozen=True, slots=True)
class Sent:
    """A signed transaction as a node reads it."""

    hash: str
    nonce: int
    price: int  # per gas, at most
    is_dynamic: bool


def read(raw: str) -> Sent:
    data = bytes.fromhex(raw[2:])
    is_dynamic = data[0] == 2
    fields = rlp.decode(data[1:] if is_dynamic else data)
    nonce, price = (fields[1], fields[3]) if is_dynamic else (fields[0], fields[1])
    number = int.from_bytes
    return Sent(
        f"0x{keccak256(data).hex()}", number(nonce, "big"), number(price, "big"), is_dynamic
    )


class FakeAccountNode:
    """`floor`: the least price that gets into a block. `refuse`: words for each hand-over to come,
    None to take it. `lose`: answers of so many hand-overs get lost after they were taken."""

    shown_url = "fake://account"
    tells_heads = True

    def __init__(self, *, base_fee: int | None = 10, balance: int = 10**18) -> None:
        self.base_fee = base_fee
        self.balance = balance
        self.floor = 0
        self.refuse: list[str | None] = []
        self.lose = 0
        self.pool: dict[int, Sent] = {}
        self.handed: list[Sent] = []
        self.blocks: list[list[Sent]] = [[]]
        self.hashes = [b"\x01" * 32]
        self.forks = 0
        self._listeners: list[Callable[[], None]] = []

    def mine(self) -> None:
        taken = [sent for sent in self.pool.values() if sent.price >= self.floor]
        for sent in taken:
            del self.pool[sent.nonce]
        self.blocks.append(taken)
        salt = b"%d %d" % (len(self.blocks), self.forks)
        self.hashes.append(hashlib.sha256(salt).digest())
        for listener in self._listeners:
            listener()

    def take_back(self, blocks: int) -> None:
        """Their transactions are forgotten; as many empty blocks and one more follow."""
        self.forks += 1
        del self.blocks[-blocks:], self.hashes[-blocks:]
        for _ in range(blocks + 1):
            self.mine()

    @property
    def mined(self) -> list[Sent]:
        return [sent for block in self.blocks for sent in block]

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
        return [self._answer(method, list(params)) for method, params in calls]

    async def close(self) -> None:
        self._listeners.clear()

    def _answer(self, method: str, params: list[Any]) -> Any:
        match method:
            case "eth_getBlockByNumber":
                return self._block() if params[0] == "latest" else None
            case "eth_estimateGas":
                return hex(1000)
            case "eth_gasPrice":
                return hex(30)
            case "eth_getBalance":
                return hex(self.balance)
            case "eth_getTransactionCount":
                nonce = len(self.mined)
                while params[1] == "pending" and nonce in self.pool:
                    nonce += 1
                return hex(nonce)
            case "eth_sendRawTransaction":
                return self._take(read(params[0]))
            case "eth_getTransactionByHash":
                known = [*self.mined, *self.pool.values()]
                return {} if any(sent.hash == params[0] for sent in known) else None
            case "eth_getTransactionReceipt":
                return self._receipt(params[0])
        raise AssertionError(method)

    def _take(self, sent: Sent) -> Any:
        words = self.refuse.pop(0) if self.refuse else None
        if words is not None:
            return RpcRefused(words)
        if sent.nonce < len(self.mined):
            return RpcRefused("nonce too low")
        other = self.pool.get(sent.nonce)
        if other is not None and other.hash == sent.hash:
            return RpcRefused("already known")
        if other is not None and 10 * sent.price < 11 * other.price:
            return RpcRefused("replacement transaction underpriced")
        self.pool[sent.nonce] = sent
        self.handed.append(sent)
        if self.lose:
            self.lose -= 1
            raise ChainUnreachable("the answer was lost")
        return sent.hash

    def _block(self) -> dict[str, str]:
        number = len(self.blocks) - 1
        parent = self.hashes[-2] if number else bytes(32)
        block = {
            "number": hex(number),
            "hash": f"0x{self.hashes[-1].hex()}",
            "parentHash": f"0x{parent.hex()}",
            "timestamp": hex(1_700_000_000 + number),
        }
        return block if self.base_fee is None else block | {"baseFeePerGas": hex(self.base_fee)}

    def _receipt(self, wanted: str) -> dict[str, str] | None:
        for number, block in enumerate(self.blocks):
            for sent in block:
                if sent.hash == wanted:
                    return {
                        "transactionHash": wanted,
                        "blockNumber": hex(number),
                        "gasUsed": hex(900),
                        "effectiveGasPrice": hex(sent.price),
                        "status": "0x1",
                    }
        return None
