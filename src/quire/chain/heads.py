"""The newest block of the chain, looked at whenever there may be another one.

With each look the block that would come next is asked for too: its time is the time of the chain
now, also on a chain where nothing happened for hours or whose time was moved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from quire.base.errors import ChainError, ChainUnreachable, RpcRefused
from quire.chain.block import Block, parse_block
from quire.chain.quantity import quantity
from quire.chain.rpc import Rpc

POLL_SECONDS = 1.0  # of a node that does not tell of new blocks
SURE_SECONDS = 10.0  # one that tells is asked nevertheless
TROUBLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen. `time`: unix seconds that the next block may have; `at`: monotonic seconds.
    `is_next`: the block follows the one seen before, nothing was taken back or left out."""

    block: Block
    time: int
    at: float
    is_next: bool


class Heads:
    """Looks for new blocks from `start` to `stop`. `trouble`: why the last look failed."""

    def __init__(self, rpc: Rpc, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._rpc = rpc
        self._poll_seconds = poll_seconds
        self._listeners: list[Callable[[Look], None]] = []
        self._bell = asyncio.Event()
        self._looked = asyncio.Event()  # another one for each look
        self._task: asyncio.Task[None] | None = None
        self._newest: Look | None = None
        self.trouble: ChainError | None = None

    async def start(self) -> None:
        """Returns after the first look. Raises ChainUnreachable."""
        self._rpc.on_head(self._bell.set)
        await self._look()
        self._task = asyncio.get_running_loop().create_task(self._run(), name="chain-heads")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def newest(self) -> Look:
        """The latest look. There is one after `start`."""
        if self._newest is None:
            raise ChainUnreachable("The chain was not looked at yet")
        return self._newest

    def listen(self, listener: Callable[[Look], None]) -> None:
        """Have it called after each look at a block that is another than before."""
        self._listeners.append(listener)

    async def next_look(self) -> Look:
        """The next look, whether it saw another block or not."""
        await self._looked.wait()
        return self.newest

    async def _run(self) -> None:
        while True:
            pause = SURE_SECONDS if self._rpc.tells_heads else self._poll_seconds
            try:
                async with asyncio.timeout(pause):
                    await self._bell.wait()
            except TimeoutError:
                pass
            self._bell.clear()
            try:
                await self._look()
                self.trouble = None
            except ChainError as error:
                self.trouble = error
                await asyncio.sleep(TROUBLE_SECONDS)
                self._bell.set()

    async def _look(self) -> None:
        latest, pending = await self._rpc.batch(
            [
                ("eth_getBlockByNumber", ["latest", False]),
                ("eth_getBlockByNumber", ["pending", False]),
            ]
        )
        if isinstance(latest, RpcRefused):
            raise latest
        block = parse_block(latest)
        if block is None:
            raise ChainUnreachable("The chain's node has no newest block")
        before, now = self._newest, asyncio.get_running_loop().time()
        time = max(block.head.timestamp, _time_of(pending))
        is_other = before is None or before.block.head.hash != block.head.hash
        if before is None or is_other:
            is_next = before is not None and block.parent == before.block.head.hash
            self._newest = Look(block, time, now, is_next)
        elif time > before.time + now - before.at:  # the time of the chain was moved
            self._newest = Look(block, time, now, is_next=True)
        if is_other:
            for listener in self._listeners:
                listener(self.newest)
        self._looked.set()
        self._looked = asyncio.Event()


def _time_of(pending: object) -> int:
    """The time of the block to come; 0 where the node does not know it."""
    if not isinstance(pending, dict) or not isinstance(pending.get("timestamp"), str):
        return 0
    return quantity(pending["timestamp"], "block's time")
