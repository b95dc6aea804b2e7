"""Channels of the in-memory transport, and the wire they run over: a `Link` each direction.

All channels of a connection share the link of their direction, so a rate limit is shared too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from quire.base.errors import PeerGone, PeerLied, TooLarge
from quire.net.transport import Message, PeerId


class Link:
    """A perfect wire: no delay, never breaks. Subclasses say otherwise."""

    def delay(self, size_bytes: int, now: float) -> float:
        """Seconds from sending a message of this size at `now` until it has arrived."""
        return 0.0

    def breaks(self, size_bytes: int, now: float) -> bool:
        """Whether sending this message ends the whole connection instead."""
        return False


class SteadyLink(Link):
    """A wire of fixed latency and rate; messages queue up behind each other."""

    def __init__(self, latency_seconds: float, bytes_per_second: float = float("inf")) -> None:
        self._latency = latency_seconds
        self._rate = bytes_per_second
        self._busy_until = 0.0

    def delay(self, size_bytes: int, now: float) -> float:
        self._busy_until = max(now, self._busy_until) + size_bytes / self._rate
        return self._busy_until - now + self._latency


class Pipe:
    """One direction of a channel: ordered, bounded in bytes, delayed by its link.

    `capacity_bytes` bounds what was sent and not yet received, on the wire or in the receiver's
    queue; one message may exceed it, a second one waits.
    """

    def __init__(self, link: Link, capacity_bytes: int, on_break: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._link = link
        self._capacity = capacity_bytes
        self._on_break = on_break  # ends the connection that the link belongs to
        self._held_bytes = 0
        self._wire: deque[tuple[float, memoryview | None]] = deque()  # (due, message); None = end
        self._arrived: deque[memoryview] = deque()
        self._senders: deque[asyncio.Future[None]] = deque()
        self._receiver: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._has_ended = False
        self._is_stalled = False
        self._broken = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing can come out any more."""
        return bool(self._broken) or (self._has_ended and not self._arrived)

    async def send(self, message: memoryview) -> None:
        """Put a message on the wire; waits while the pipe is full. Raises `PeerGone`."""
        self._check_open()
        while self._held_bytes >= self._capacity:
            turn = self._loop.create_future()
            self._senders.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._next_sender()
                raise
            self._check_open()
        if self._link.breaks(len(message), self._loop.time()):
            self._on_break()
            raise PeerGone(self._broken)
        self._held_bytes += len(message)
        self._put(message, len(message))
        if self._held_bytes < self._capacity:
            self._next_sender()

    async def receive(self) -> memoryview:
        """The next message, in order. Raises `PeerGone` at the end."""
        while not self._arrived:
            if self._broken or self._has_ended:
                raise PeerGone(self._broken or "the peer ended the channel")
            self._receiver = self._loop.create_future()
            try:
                await self._receiver
            finally:
                self._receiver = None
        message = self._arrived.popleft()
        self._held_bytes -= len(message)
        if self._held_bytes < self._capacity:
            self._next_sender()
        return message

    def close(self) -> None:
        """The receiver sees the end after everything that was sent."""
        if not self._is_closed and not self._broken:
            self._is_closed = True
            self._put(None, 0)
            self._wake_senders()

    def break_off(self, reason: str) -> None:
        """Everything under way is lost; both ends raise `PeerGone` from now on."""
        if self._broken:
            return
        self._broken = reason
        self._wire.clear()
        self._arrived.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake_senders()
        self._wake_receiver()

    def stall(self, is_stalled: bool) -> None:
        """Hold back (or let go again) everything that has not arrived."""
        self._is_stalled = is_stalled
        if not is_stalled:
            self._deliver()

    def _check_open(self) -> None:
        if self._broken or self._is_closed:
            raise PeerGone(self._broken or "the channel is closed")

    def _put(self, message: memoryview | None, size_bytes: int) -> None:
        now = self._loop.time()
        due = now + self._link.delay(size_bytes, now)
        if self._wire:
            due = max(due, self._wire[-1][0])
        self._wire.append((due, message))
        if self._timer is None:
            self._deliver()

    def _deliver(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._wire and not self._is_stalled:
            due, message = self._wire[0]
            if due > now:
                self._timer = self._loop.call_at(due, self._deliver)
                return
            self._wire.popleft()
            if message is None:
                self._has_ended = True
            else:
                self._arrived.append(message)
            self._wake_receiver()

    def _next_sender(self) -> None:
        while self._senders:
            turn = self._senders.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _wake_senders(self) -> None:
        while self._senders:
            self._next_sender()

    def _wake_receiver(self) -> None:
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)


class MemoryChannel:
    """One end of a channel; see the port."""

    def __init__(
        self, peer: PeerId, protocol: str, outward: Pipe, inward: Pipe, max_message_bytes: int
    ) -> None:
        self.peer = peer
        self.protocol = protocol
        self._outward = outward
        self._inward = inward
        self._max_message_bytes = max_message_bytes

    async def send(self, *segments: Message) -> None:
        size = sum(len(segment) for segment in segments)
        if size > self._max_message_bytes:
            raise TooLarge(
                f"a message of {size} bytes exceeds the limit of {self.protocol}, "
                f"{self._max_message_bytes} bytes",
                peer=self.peer,
            )
        await self._outward.send(memoryview(b"".join(segments)))

    async def receive(self) -> memoryview:
        message = await self._inward.receive()
        if len(message) > self._max_message_bytes:
            self.abort("message too large")
            raise PeerLied(
                f"{self.peer} sent a message of {len(message)} bytes on "
                f"{self.protocol}, above the limit of {self._max_message_bytes}",
                peer=self.peer,
            )
        return message

    def close(self) -> None:
        self._outward.close()

    def abort(self, reason: str) -> None:
        self._outward.break_off(reason)
        self._inward.break_off(reason)
