"""All streams with one peer: ours, which the first message opens, and those the peer opened.

Either side may answer on any of them. A stream that ends, or on which something malformed comes,
is closed; ours is opened again with the next message. Nothing here waits for what it has read:
a muxer without flow control (mplex) would stand still for all streams of the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from quire.base.errors import (
    BadEncoding,
    PeerError,
    PeerGone,
    PeerLied,
    PeerSilent,
    ProtocolMismatch,
)
from quire.formats.blockexc import Message, decode_message, encode_segments
from quire.net.blockexc.limits import BlockexcLimits
from quire.net.transport import Channel, PeerId, Transport


@dataclass(frozen=True, slots=True)
class Ids:
    """Protocol ids in order of preference, and which of them use trimmed messages."""

    accepted: tuple[str, ...]
    trimmed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LinkEvents:
    """Whom a link tells. None of them waits."""

    on_message: Callable[[Link, Message], None]
    on_cut: Callable[[Link], None]  # a stream has ended
    on_garbage: Callable[[Link, str], None]  # the peer sent what cannot be decoded, repeatedly


class Link:
    """Messages to and from one peer."""

    def __init__(
        self,
        peer: PeerId,
        transport: Transport,
        ids: Ids,
        limits: BlockexcLimits,
        events: LinkEvents,
    ) -> None:
        self.peer = peer
        self.protocol = ids.accepted[0]
        self.malformed = 0  # messages that closed their stream, above the size limit or undecodable
        self._transport = transport
        self._ids = ids
        self._limits = limits
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._own: Channel | None = None
        self._inbound: dict[Channel, None] = {}
        self._reader: asyncio.Task[None] | None = None
        self._posts: dict[asyncio.Task[None], None] = {}
        self._is_closed = False

    @property
    def has_streams(self) -> bool:
        return self._own is not None or bool(self._inbound)

    async def open(self, deadline: float) -> None:
        """Make sure that our own stream is open. Raises what `Transport.open` raises."""
        try:
            async with asyncio.timeout_at(deadline), self._turn:
                await self._open()
        except TimeoutError:
            raise PeerSilent(f"{self.peer} did not open a stream in time", peer=self.peer) from None

    async def send(self, message: Message) -> None:
        """Send one message on our own stream. Raises `PeerError`."""
        async with self._turn:
            try:
                await self._send(await self._open(), message)
            except PeerGone:  # the stream had ended unnoticed: once more on a new one
                await self._send(await self._open(), message)

    def post(self, message: Message) -> None:
        """Send in the background. A peer that takes nothing for long loses the stream."""
        if self._is_closed:
            return
        if len(self._posts) >= self._limits.posts_per_peer:
            self._cut("it does not read what we send")
            return
        task = self._loop.create_task(self._post(message))
        self._posts[task] = None
        task.add_done_callback(lambda done: self._posts.pop(done, None))

    async def serve(self, channel: Channel) -> None:
        """Read a stream that the peer opened, to its end."""
        if self._is_closed or len(self._inbound) >= self._limits.streams_per_peer:
            channel.abort("too many streams")
            return
        self._inbound[channel] = None
        self.protocol = channel.protocol
        try:
            await self._read(channel)
        finally:
            self._inbound.pop(channel, None)
            self._events.on_cut(self)

    def close(self, reason: str) -> None:
        """Drop every stream. Harmless when closed."""
        self._is_closed = True
        self._cut(reason)
        for channel in list(self._inbound):
            channel.abort(reason)
        for task in list(self._posts):
            task.cancel()

    def _cut(self, reason: str) -> None:
        """Drop our own stream."""
        own, self._own = self._own, None
        if own is not None:
            own.abort(reason)
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    async def _open(self) -> Channel:
        if self._is_closed:
            raise PeerGone(f"{self.peer} is gone", peer=self.peer)
        if self._own is not None:
            return self._own
        deadline = self._loop.time() + self._limits.send_seconds
        first = self.protocol  # what it spoke last
        problem: ProtocolMismatch | None = None
        for protocol in (first, *(i for i in self._ids.accepted if i != first)):
            try:
                own = await self._transport.open(
                    self.peer,
                    protocol,
                    max_message_bytes=self._limits.message_bytes,
                    deadline=deadline,
                )
            except ProtocolMismatch as mismatch:
                problem = problem or mismatch
                continue
            self._own, self.protocol = own, protocol
            self._reader = self._loop.create_task(self._read_own(own))
            return own
        raise problem or PeerGone(f"{self.peer} is gone", peer=self.peer)

    async def _send(self, channel: Channel, message: Message) -> None:
        segments = encode_segments(message, is_trimmed=channel.protocol in self._ids.trimmed)
        try:
            async with asyncio.timeout(self._limits.send_seconds):
                await channel.send(*segments)
        except TimeoutError:
            self._cut("it does not read what we send")
            raise PeerSilent(
                f"{self.peer} read nothing for {self._limits.send_seconds:.0f} s", peer=self.peer
            ) from None
        except PeerGone:
            if self._own is channel:
                self._cut("it ended")
            raise

    async def _post(self, message: Message) -> None:
        try:
            await self.send(message)
        except PeerError:
            return  # whoever waits for an answer has a deadline

    async def _read_own(self, channel: Channel) -> None:
        await self._read(channel)
        if self._own is channel:
            self._own = self._reader = None
        self._events.on_cut(self)

    async def _read(self, channel: Channel) -> None:
        """Read until the stream ends or something malformed comes."""
        try:
            while True:
                self._events.on_message(self, decode_message(await channel.receive()))
        except (BadEncoding, PeerLied) as problem:
            self.malformed += 1
            channel.abort(f"malformed: {problem.message}")
            if self.malformed >= self._limits.malformed:
                self._events.on_garbage(self, problem.message)
        except PeerError as problem:
            channel.abort(problem.message)
