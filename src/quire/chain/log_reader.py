"""Logs of one contract, asked of the node in portions that it does not refuse."""

from __future__ import annotations

from collections.abc import Sequence

from quire.base.errors import ChainError
from quire.chain.block import Block, Log, parse_logs
from quire.chain.rpc import Rpc
from quire.chain.rpc_message import result_of
from quire.chain.values import Address

PORTION_BLOCKS = 2048


class LogReader:
    """Remembers how many blocks the node answers for at once."""

    def __init__(self, rpc: Rpc, address: Address) -> None:
        self._rpc = rpc
        self._address = f"0x{address.hex()}"
        self._portion = PORTION_BLOCKS

    async def of_blocks(self, blocks: Sequence[Block]) -> list[Log]:
        """Exactly those of these blocks, found by their hashes. Raises ChainError, also where one
        of them is not known any more."""
        logs: list[Log] = []
        calls = [
            ("eth_getLogs", [{"address": self._address, "blockHash": f"0x{b.head.hash.hex()}"}])
            for b in blocks
        ]
        for answer in await self._rpc.batch(calls):
            logs += parse_logs(result_of(answer))
        return logs

    async def between(self, first: int, last: int) -> list[Log]:
        """Those of blocks `first` to `last`, both included. Raises ChainError."""
        logs: list[Log] = []
        while first <= last:
            end = min(last, first + self._portion - 1)
            span = {"address": self._address, "fromBlock": hex(first), "toBlock": hex(end)}
            try:
                logs += parse_logs(await self._rpc.call("eth_getLogs", [span]))
            except ChainError:  # too many blocks, too many logs, too large an answer, too slow
                if end == first:
                    raise
                self._portion = (end - first + 1) // 2
                continue
            self._portion = min(PORTION_BLOCKS, 2 * self._portion)
            first = end + 1
        return logs
