"""Looks after the transactions of one account until they are in the chain for good."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from quire.base.errors import ChainError, NotMined, RpcRefused
from quire.chain.fees import higher_fees
from quire.chain.handover import Handover
from quire.chain.heads import Heads, Look
from quire.chain.outgoing import GIVE_UP_BLOCKS, Next, Outgoing
from quire.chain.receipt import Mined, Verdict, parse_mined
from quire.chain.rpc import Rpc

TROUBLE_SECONDS = 1.0


class Outbox:
    """What was sent, from `start` to `stop`.

    depth  blocks on top of the one with the transaction, before it counts as done"""

    def __init__(self, rpc: Rpc, heads: Heads, handover: Handover, depth: int) -> None:
        self._rpc = rpc
        self._heads = heads
        self._handover = handover
        self._depth = depth
        self._all: list[Outgoing] = []
        self._bell = asyncio.Event()
        self._looking = asyncio.Lock()
        self._is_rewound = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._heads.listen(self._on_look)
        self._task = asyncio.get_running_loop().create_task(self._run(), name="chain-outbox")

    async def stop(self) -> None:
        """What was sent stays sent; nobody looks after it any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for outgoing in self._all:
            _fail(outgoing, "is looked after no more, as this node stops")

    def add(self, outgoing: Outgoing) -> None:
        self._all.append(outgoing)
        self._bell.set()  # it may be in a block that was looked at before it was here

    @property
    def promised_wei(self) -> int:
        """What those that are in no block yet may cost."""
        return sum(outgoing.most_wei for outgoing in self._all)

    @property
    def nonces(self) -> list[int]:
        """Of those that are in no block yet."""
        return [outgoing.nonce for outgoing in self._all if outgoing.mined is None]

    async def look(self) -> None:
        """See what became of them, and do what has to be done. Raises ChainError."""
        async with self._looking:
            newest = self._heads.newest.block.head.number
            is_rewound, self._is_rewound = self._is_rewound, False
            concerned = [o for o in self._all if o.mined is None or not o.done.done() or is_rewound]
            try:
                found = await self._receipts(concerned)
            except ChainError:
                self._is_rewound = self._is_rewound or is_rewound
                raise
            for outgoing, mined in zip(concerned, found, strict=True):
                await self._act(outgoing, outgoing.seen(mined, newest, self._depth))
            self._all = [o for o in self._all if not o.is_over(newest)]

    def _on_look(self, look: Look) -> None:
        self._is_rewound = self._is_rewound or not look.is_next
        if self._all:
            self._bell.set()

    async def _run(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            try:
                await self.look()
            except ChainError:
                await asyncio.sleep(TROUBLE_SECONDS)
                self._bell.set()

    async def _receipts(self, concerned: Sequence[Outgoing]) -> list[Mined | None]:
        hashes = [signed.hash for outgoing in concerned for signed in outgoing.sent]
        answers = iter(
            await self._rpc.batch(
                [("eth_getTransactionReceipt", [f"0x{known.hex()}"]) for known in hashes]
            )
        )
        found: list[Mined | None] = []
        for outgoing in concerned:
            replies = [next(answers) for _ in outgoing.sent]
            refused = next((r for r in replies if isinstance(r, RpcRefused)), None)
            if refused is not None:
                raise refused
            mined = (parse_mined(reply) for reply in replies)
            found.append(next((m for m in mined if m is not None), None))
        return found

    async def _act(self, outgoing: Outgoing, what: Next) -> None:
        match what:
            case Next.SETTLE if outgoing.mined is not None:
                outgoing.done.set_result(outgoing.mined)
            case Next.SEND_AGAIN:
                await self._handover.send(outgoing.sent[-1])
            case Next.REPLACE:
                await self._replace(outgoing)
            case Next.GIVE_UP:
                _fail(outgoing, f"was taken by none of {GIVE_UP_BLOCKS} blocks")
            case _:
                pass

    async def _replace(self, outgoing: Outgoing) -> None:
        """Offer more; where that is too much already, tell the node of it again."""
        outgoing.blocks_offered = 0
        now = await self._handover.fees()
        fees = higher_fees(outgoing.fees, now, self._handover.settings)
        signed = outgoing.sent[-1]
        if fees is not None:
            signed = self._handover.sign(outgoing.transaction, outgoing.nonce, outgoing.gas, fees)
        verdict, _ = await self._handover.send(signed)
        if fees is None:
            return
        if verdict is Verdict.TAKEN:
            outgoing.sent.append(signed)
        if verdict in (Verdict.TAKEN, Verdict.NONCE_BUSY, Verdict.FEE_LOW):
            outgoing.fees = fees  # the next offer goes on from here
        if verdict is Verdict.NONCE_USED and (await self._receipts([outgoing]))[0] is None:
            _fail(outgoing, "cannot be: another one of this account took its nonce")


def _fail(outgoing: Outgoing, why: str) -> None:
    outgoing.is_given_up = True
    if not outgoing.done.done():
        sent = outgoing.sent[-1].hash.hex()
        outgoing.done.set_exception(
            NotMined(f"transaction 0x{sent} (nonce {outgoing.nonce}) {why}", nonce=outgoing.nonce)
        )
        outgoing.done.exception()  # looked at, also where nobody waits any more
