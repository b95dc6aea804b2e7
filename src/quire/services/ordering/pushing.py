"""Pushes a dataset that streams by to the aggregator that codes it.

    pieces ─► runs of 8 blocks ─► what is kept of them (streamed.py) ─► 8 runs under way ─► seal
                                                                          ▲ again until answered

What is answered with OK is durable over there (docs/reference/aggregator-protocol.md).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

from quire.aggregation.order import At, Order
from quire.base.clock import Clock
from quire.base.errors import InputError, PeerError, Refused
from quire.formats.aggregator import AggregatorAnswer, AggregatorRequest
from quire.formats.aggregator_asking import MAX_RUN_BLOCKS, PushBlocks, Seal
from quire.formats.aggregator_codes import Code
from quire.formats.replica_parts import BLOCK_BYTES
from quire.formats.varint import Buffer
from quire.services.ordering.orders import Orders
from quire.services.ordering.ports import AskAggregator
from quire.services.ordering.streamed import StreamedOriginal

RUN_BYTES = MAX_RUN_BLOCKS * BLOCK_BYTES
UNDER_WAY = 8  # runs: all of them are in memory
ANSWER_SECONDS = 30.0  # a run waits there for those before it
PAUSE_SECONDS = 0.5

_AGAIN = (Code.BUSY, Code.INTERNAL)


@dataclass(frozen=True, slots=True)
class Streamed:
    """What is known of it before its first byte. `subject`: what events are about."""

    size: int
    filename: str | None = None
    mimetype: str | None = None
    subject: str = "stream"


class Pushing:
    """Of one node."""

    def __init__(self, client: AskAggregator, orders: Orders, clock: Clock) -> None:
        self._client = client
        self._orders = orders
        self._clock = clock

    async def push(
        self,
        order: Order,
        original: StreamedOriginal,
        wanted: Streamed,
        pieces: AsyncIterable[Buffer],
    ) -> None:
        """All of it, and its manifest. Raises InputError, Refused, DiskFull, BadManifest."""
        flying: deque[asyncio.Task[None]] = deque()
        loop = asyncio.get_running_loop()
        try:
            async for run in runs_of(pieces, wanted.size):
                index = original.blocks
                await original.take(run)
                if len(flying) == UNDER_WAY:
                    await flying.popleft()
                flying.append(loop.create_task(self._say(order, PushBlocks(index, run))))
            while flying:
                await flying.popleft()
        finally:
            for task in flying:
                task.cancel()
            if flying:
                await asyncio.wait(flying)
        manifest = original.seal(wanted.size, wanted.filename, wanted.mimetype)
        await self._say(order, Seal(manifest))

    async def _say(self, order: Order, body: PushBlocks | Seal) -> None:
        """Until it is answered with OK. Raises Refused."""
        while True:
            pause, answer = PAUSE_SECONDS, await self._ask(order, body)
            if answer is not None:
                if answer.code is Code.OK:
                    return
                if answer.code not in _AGAIN:
                    said = answer.text or answer.code.name
                    raise Refused(f"{order.peer} does not take what is pushed: {said}")
                pause = max(pause, answer.retry_after_ms / 1000)
            now = self._orders.get(order.key)
            if now.at is not At.WAITING:
                raise Refused(f"{order.peer} does not code any more: {self._orders.words(now)}")
            await asyncio.sleep(pause)

    async def _ask(self, order: Order, body: PushBlocks | Seal) -> AggregatorAnswer | None:
        """None: nothing was heard."""
        deadline = self._clock.monotonic() + ANSWER_SECONDS
        request = AggregatorRequest(order.job_id, body)
        try:
            return await self._client.ask(order.peer, request, deadline, order.addresses)
        except PeerError as error:
            if not error.retry:
                raise Refused(f"{order.peer} cannot be pushed to: {error.message}") from error
            return None


async def runs_of(pieces: AsyncIterable[Buffer], size: int) -> AsyncIterator[bytes]:
    """Whole blocks, as many as fit a message; the last padded with zeros.

    Raises InputError unless there are `size` bytes."""
    pending, seen = bytearray(), 0
    async for piece in pieces:
        seen += len(piece)
        if seen > size:
            break
        pending += piece
        while len(pending) >= RUN_BYTES:
            with memoryview(pending) as view:
                run = bytes(view[:RUN_BYTES])
            del pending[:RUN_BYTES]
            yield run
    if seen != size:
        more = "more than" if seen > size else f"{seen} of"
        raise InputError(f"the stream has {more} the {size} bytes that were announced")
    if pending:
        pending += bytes(-len(pending) % BLOCK_BYTES)
        yield bytes(pending)
