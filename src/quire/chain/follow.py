"""Follows the chain block by block, from where one stopped, through whatever happens to it.

Nothing is concluded from notifications: they only say when to look. The logs of a block are asked
by its hash, and every block is checked to be the child of the one before it. So each log is told
once, in order; where a block that was told of is no part of the chain any more, the next stretch
says so and begins after a block that still is. Far behind the newest block, logs are asked for many
blocks at once, and the blocks at both ends are looked at before and after.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from quire.base.errors import ChainError, ChainUnreachable, RpcRefused
from quire.chain.block import Block, Log, parse_block
from quire.chain.heads import Heads
from quire.chain.log_reader import LogReader
from quire.chain.port import Head
from quire.chain.rpc import Rpc
from quire.chain.values import Address

NEAR_BLOCKS = 64  # so far behind the newest block, each block is looked at
FAR_BLOCKS = 2048
TRAIL_BLOCKS = 256
UNSURE_BLOCKS = 256  # to go back where nothing tells how many blocks were taken back
SEARCH_BLOCKS = 16
TROUBLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """All logs of the blocks after number `after` up to `head`. With `is_rewound`, what was told of
    blocks after that number is void."""

    after: int
    head: Head
    logs: tuple[Log, ...] = ()
    is_rewound: bool = False


async def follow(
    rpc: Rpc,
    heads: Heads,
    address: Address,
    after: Head | None,
    depth: int = 0,
    *,
    near_blocks: int = NEAR_BLOCKS,
) -> AsyncIterator[Stretch]:
    """Stretches for ever, each beginning where the one before ended, unless it is rewound.

    after   what was told of last, at this start or an earlier one; None: begin with the newest
            block, whose logs are not told
    depth   only blocks with so many others on top of them
    """
    follower = _Follower(rpc, address, after, depth, near_blocks)
    while True:
        look = heads.newest
        try:
            while (stretch := await follower.step(look.block)) is not None:
                yield stretch
        except ChainError:
            await _wait(heads, TROUBLE_SECONDS)
            continue
        if heads.newest is look:
            await heads.next_look()


async def _wait(heads: Heads, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await heads.next_look()
    except TimeoutError:
        return


class _Follower:
    def __init__(
        self, rpc: Rpc, address: Address, after: Head | None, depth: int, near_blocks: int
    ) -> None:
        self._rpc = rpc
        self._reader = LogReader(rpc, address)
        self._depth = depth
        self._near_blocks = near_blocks
        self._trail = [] if after is None else [after]  # blocks told of, oldest first
        self._is_rewound = False

    async def step(self, newest: Block) -> Stretch | None:
        """The next stretch towards the newest block; None where there is none for now.
        Raises ChainError: nothing was told, try again."""
        goal = newest.head.number - self._depth
        if goal < 0:
            return None
        if not self._trail:
            block = (await self._blocks([goal]))[0]
            self._trail = [block.head]
            return Stretch(goal, block.head)
        if not await self._is_on_chain(goal):
            await self._go_back(goal)
        last = self._trail[-1]
        if goal <= last.number:
            return self._told(last, [], []) if self._is_rewound else None
        if goal - last.number <= self._near_blocks:
            return await self._near(last, goal)
        return await self._far(last, min(goal, last.number + FAR_BLOCKS))

    async def _is_on_chain(self, goal: int) -> bool:
        """Whether what was told is part of the chain, as far as this goes. A chain that is shorter
        than it was, but no other, is a node that lags behind."""
        known = [head for head in self._trail if head.number <= goal]
        if not known:
            return False
        return (await self._blocks([known[-1].number]))[0].head.hash == known[-1].hash

    async def _go_back(self, goal: int) -> None:
        """Forget what was told and is no part of the chain."""
        trail = [head for head in self._trail if head.number <= goal]
        lowest = min(self._trail[0].number, goal)
        kept: list[Head] = []
        while trail and not kept:
            trail, tried = trail[:-SEARCH_BLOCKS], trail[-SEARCH_BLOCKS:]
            blocks = await self._blocks([head.number for head in tried])
            kept = [b.head for b, told in zip(blocks, tried, strict=True) if b.head == told]
        if not kept:
            kept = [(await self._blocks([max(0, lowest - UNSURE_BLOCKS)]))[0].head]
        self._trail = [*trail, *kept]
        self._is_rewound = True

    async def _near(self, last: Head, goal: int) -> Stretch | None:
        blocks = await self._blocks(range(last.number + 1, goal + 1))
        parent = last.hash
        for block in blocks:
            if block.parent != parent:
                raise ChainUnreachable("the chain changed while it was read")
            parent = block.head.hash
        logs = await self._reader.of_blocks(blocks)
        return self._told(last, [block.head for block in blocks], logs)

    async def _far(self, last: Head, goal: int) -> Stretch | None:
        ends = await self._blocks([last.number, goal])
        logs = await self._reader.between(last.number + 1, goal)
        if ends[0].head.hash != last.hash or ends != await self._blocks([last.number, goal]):
            raise ChainUnreachable("the chain changed while it was read")
        return self._told(last, [ends[1].head], logs)

    def _told(self, last: Head, heads: Sequence[Head], logs: Sequence[Log]) -> Stretch:
        self._trail = [*self._trail, *heads][-TRAIL_BLOCKS:]
        is_rewound, self._is_rewound = self._is_rewound, False
        return Stretch(last.number, self._trail[-1], tuple(logs), is_rewound)

    async def _blocks(self, numbers: Sequence[int]) -> list[Block]:
        answers = await self._rpc.batch(
            [("eth_getBlockByNumber", [hex(number), False]) for number in numbers]
        )
        blocks: list[Block] = []
        for answer in answers:
            if isinstance(answer, RpcRefused):
                raise answer
            block = parse_block(answer)
            if block is None:
                raise ChainUnreachable("the chain's node does not have a block that it told of")
            blocks.append(block)
        return blocks
