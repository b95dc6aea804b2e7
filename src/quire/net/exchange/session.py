"""Our requests at one peer: one channel, many requests open at once, one reply for each.

What a reply says is checked here as far as the request alone allows: a reply that nobody asked
for, of another kind, or about another range is a lie. Content is verified by whoever asked.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TypeVar

from quire.base.errors import BadEncoding, PeerError, PeerGone, PeerLied, PeerSilent
from quire.formats.cid import Cid
from quire.formats.exchange import (
    BlockReply,
    BlockRequest,
    Cancel,
    HaveReply,
    HaveRequest,
    HaveUpdate,
    LeavesReply,
    LeavesRequest,
    RangeReply,
    RangeRequest,
    Reply,
    Request,
    Status,
    decode_message,
)
from quire.net.exchange.ledger import Account
from quire.net.exchange.limits import ExchangeLimits
from quire.net.exchange.peer_session import AskedTree, OnEnd, OnUpdate, PeerSession
from quire.net.exchange.toll import Toll
from quire.net.transport import Channel
from quire.store.shape import DIGEST_BYTES

AnyReply = TypeVar("AnyReply", HaveReply, RangeReply, BlockReply, LeavesReply)


@dataclass(slots=True, eq=False)
class _Open:
    """A request without a reply."""

    kind: type[Reply]
    reply: asyncio.Future[Reply]
    asked_at: float
    expected_bytes: int
    predicted: float | None  # seconds until the reply


class Session(PeerSession):
    """The requester's end of one channel. Ends once, with a reason, for all that wait on it."""

    def __init__(
        self,
        channel: Channel,
        limits: ExchangeLimits,
        account: Account,
        toll: Toll,
        on_update: OnUpdate,
        on_end: OnEnd,
    ) -> None:
        super().__init__(channel.peer, channel.protocol, limits, account)
        self._channel = channel
        self._limits = limits
        self._toll = toll
        self._on_update = on_update
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._last_id = 0
        self._open: dict[int, _Open] = {}
        self._abandoned: dict[int, None] = {}  # given up; their replies are still to come
        self._ended: PeerError | None = None
        self._sends: dict[asyncio.Task[None], None] = {}
        self._reader = self._loop.create_task(self._read())

    @property
    def is_over(self) -> bool:
        return self._ended is not None

    @property
    def open_requests(self) -> int:
        return len(self._open)

    async def ask_have(self, tree: AskedTree, deadline: float) -> HaveReply:
        self._last_id += 1
        return await self._ask(HaveRequest(self._last_id, tree.root), HaveReply, 0, deadline)

    async def ask_range(
        self, tree: AskedTree, start: int, count: int, deadline: float
    ) -> RangeReply:
        size_bytes = count * tree.block_size
        self._last_id += 1
        purse = self._toll.offer(self.peer)
        request = RangeRequest(self._last_id, tree.root, start, count, purse)
        reply = await self._ask(request, RangeReply, size_bytes, deadline)
        self._check_answer(reply, start, size_bytes, f"{count} blocks")
        return reply

    async def ask_block(self, cid: Cid, deadline: float) -> BlockReply:
        self._last_id += 1
        request = BlockRequest(self._last_id, cid, self._toll.offer(self.peer))
        return await self._ask(request, BlockReply, 0, deadline)

    async def ask_leaves(
        self, tree: AskedTree, start: int, count: int, deadline: float
    ) -> LeavesReply:
        size_bytes = count * DIGEST_BYTES
        self._last_id += 1
        request = LeavesRequest(self._last_id, tree.root, start, count)
        # A short list tells how far the peer is, not how fast.
        expected = size_bytes if size_bytes >= self._limits.piece_bytes_first else 0
        reply = await self._ask(request, LeavesReply, expected, deadline)
        self._check_answer(reply, start, size_bytes, f"{count} leaves")
        return reply

    def _check_answer(
        self, reply: RangeReply | LeavesReply, start: int, size_bytes: int, what: str
    ) -> None:
        """Raise PeerLied when data is not what was asked for."""
        if reply.status is not Status.OK:
            return
        if reply.start != start:
            raise PeerLied(
                f"{self.peer} sent what begins at {reply.start} where {start} was asked for",
                peer=self.peer,
            )
        if len(reply.data) != size_bytes:
            raise PeerLied(
                f"{self.peer} sent {len(reply.data)} bytes for {what} of {size_bytes} bytes",
                peer=self.peer,
            )

    def end(self, problem: PeerError) -> None:
        if self._ended is not None:
            return
        self._ended = problem
        self._channel.abort(problem.message)
        self._reader.cancel()
        for task in list(self._sends):
            task.cancel()
        for entry in self._open.values():
            if not entry.reply.done():
                entry.reply.set_exception(type(problem)(problem.message, **problem.facts))
                entry.reply.exception()  # seen: whoever asked may have been cancelled
        self._on_end(self, problem)

    async def _ask(
        self, request: Request, kind: type[AnyReply], size_bytes: int, deadline: float
    ) -> AnyReply:
        """Send and wait for the reply.

        Raises   PeerSilent  no reply before `deadline`; the request is then cancelled
                 PeerGone, PeerLied  the session ended
        """
        if self._ended is not None:
            raise PeerGone(self._ended.message, peer=self.peer)
        predicted = self.estimate.cost_seconds(self.pending_bytes)
        entry = _Open(kind, self._loop.create_future(), self._loop.time(), size_bytes, predicted)
        self._open[request.id] = entry
        try:
            async with asyncio.timeout_at(deadline):
                await self._channel.send(*request.segments())
                reply = await entry.reply
        except TimeoutError:
            raise PeerSilent(
                f"{self.peer} did not answer within {self._loop.time() - entry.asked_at:.1f} s",
                peer=self.peer,
            ) from None
        finally:
            if self._open.pop(request.id, None) is not None and self._ended is None:
                self._give_up(request.id)
        if not isinstance(reply, kind):
            raise PeerLied(
                f"{self.peer} answered a request with another kind of reply", peer=self.peer
            )
        return reply

    def _give_up(self, request_id: int) -> None:
        """Tell the peer that a reply is not wanted any more; it may be on its way already."""
        self._abandoned[request_id] = None
        if len(self._abandoned) > self._limits.abandoned_requests:
            self.end(
                PeerSilent(
                    f"{self.peer} left {len(self._abandoned)} requests unanswered", peer=self.peer
                )
            )
            return
        task = self._loop.create_task(self._send_quietly(Cancel(request_id)))
        self._sends[task] = None
        task.add_done_callback(lambda done: self._sends.pop(done, None))

    async def _send_quietly(self, message: Cancel) -> None:
        try:
            await self._channel.send(*message.segments())
        except PeerError as problem:
            self.end(problem)

    async def _read(self) -> None:
        try:
            while True:
                self._take(await self._channel.receive())
        except BadEncoding as problem:
            self.end(PeerLied(f"{self.peer} sent garbage: {problem.message}", peer=self.peer))
        except PeerError as problem:
            self.end(problem)

    def _take(self, data: memoryview) -> None:
        message = decode_message(data)
        if isinstance(message, HaveUpdate):
            self._on_update(self.peer, message)
            return
        if not isinstance(message, HaveReply | RangeReply | BlockReply | LeavesReply):
            raise PeerLied(f"{self.peer} sent a request where replies are due", peer=self.peer)
        entry = self._open.pop(message.id, None)
        if entry is None:
            self._take_late(message)
            return
        now = self.heard_at = self._loop.time()
        if entry.expected_bytes and message.status is Status.OK:
            self.estimate.delivered(entry.expected_bytes, entry.asked_at, now, entry.predicted)
        elif not self.pending_bytes:
            self.estimate.answered(now - entry.asked_at)
        if not entry.reply.done():
            entry.reply.set_result(message)

    def _take_late(self, message: Reply) -> None:
        if message.id not in self._abandoned:
            raise PeerLied(f"{self.peer} sent a reply that nobody asked for", peer=self.peer)
        del self._abandoned[message.id]
        if isinstance(message, RangeReply | LeavesReply):
            self.account.wasted_bytes += len(message.data)
        if isinstance(message, RangeReply) and message.data:
            # It was asked for and has come: the peer is paid for it.
            self._toll.received(self.peer, len(message.data), message.charge)
