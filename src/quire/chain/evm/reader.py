"""Asks contracts, as of the next block (the tag `pending`), in the name of one account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quire.base.errors import BadEncoding, ChainUnreachable, Reverted, RpcRefused
from quire.chain.evm.methods import Method
from quire.chain.quantity import octets, quantity
from quire.chain.reverts import reverted
from quire.chain.rpc import Rpc
from quire.chain.rpc_message import Call, Reply
from quire.chain.values import Address

CONSISTENT_TRIES = 5


class Reader:
    """Calls of one contract at the most; `to` names another one."""

    def __init__(self, rpc: Rpc, contract: Address, account: Address) -> None:
        self.rpc = rpc
        self.contract = contract
        self.account = account

    async def ask(self, method: Method, *values: Any, to: Address | None = None) -> Any:
        """Raises Reverted, ChainUnreachable."""
        (answer,) = await self.ask_all([(method, values)], to=to)
        if isinstance(answer, Reverted):
            raise answer
        return answer

    async def ask_all(
        self, asked: Sequence[tuple[Method, Sequence[Any]]], *, to: Address | None = None
    ) -> list[Any]:
        """In one batch; in place of an answer, a Reverted that was not raised."""
        replies = await self.rpc.batch([self._call(m, v, to) for m, v in asked])
        return [_answer(m, reply) for (m, _), reply in zip(asked, replies, strict=True)]

    async def ask_as_of_one_block(
        self, asked: Sequence[tuple[Method, Sequence[Any]]]
    ) -> tuple[int, list[Any]]:
        """The time of the next block, and answers that all speak of it. Raises ChainUnreachable
        when blocks come faster than the node answers."""
        number: Call = ("eth_blockNumber", [])
        pending: Call = ("eth_getBlockByNumber", ["pending", False])
        calls = [self._call(method, values, None) for method, values in asked]
        for _ in range(CONSISTENT_TRIES):
            first, block, *replies, last = await self.rpc.batch([number, pending, *calls, number])
            if first == last and isinstance(block, dict):
                answers = [_answer(m, r) for (m, _), r in zip(asked, replies, strict=True)]
                return quantity(block.get("timestamp"), "block's time"), answers
        raise ChainUnreachable("blocks come faster than the chain's node answers")

    async def would(self, data: bytes, doing: str) -> Reverted | None:
        """With what the contract would refuse a transaction of this account."""
        (reply,) = await self.rpc.batch([self._raw_call(data, self.contract)])
        if isinstance(reply, RpcRefused):
            if reply.data is None:
                raise ChainUnreachable(reply.message)
            return reverted(reply.data, doing)
        return None

    def _call(self, method: Method, values: Sequence[Any], to: Address | None) -> Call:
        return self._raw_call(method.data(*values), to or self.contract)

    def _raw_call(self, data: bytes, to: Address) -> Call:
        shape = {
            "from": f"0x{self.account.hex()}",
            "to": f"0x{to.hex()}",
            "data": f"0x{data.hex()}",
        }
        return ("eth_call", [shape, "pending"])


def _answer(method: Method, reply: Reply) -> Any:
    if isinstance(reply, RpcRefused):
        if reply.data is None:
            raise ChainUnreachable(reply.message)
        return reverted(reply.data, method.name)
    data = octets(reply, f"{method.name} of the contract")
    if not method.outputs:
        return None
    try:
        return method.read(data)
    except BadEncoding as error:
        raise ChainUnreachable(
            f"{method.name} was answered with {len(data)} bytes that are not its answer: "
            f"{error.message}"
        ) from None
