"""Answering requests that come over long-lived channels; the other end of `requests.py`.

    channel reader ─► a place? ─► handler, a task for each request ─► answer
                         └─ no ─► busy, with a time; sent by the reader, so who does not read
                                  what he is told is not read any more either

Whatever goes wrong in a handler becomes an answer in words; the channel goes on. Answers that wait
to be read take no place of those who work; when there are too many, the channel with most of them
is cut.
Source   ADR 0036
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias, TypeVar

from quire.base.errors import BadEncoding, PeerError, PeerLied, QuireError, TooLarge
from quire.base.events import EventBus
from quire.formats.varint import Buffer
from quire.net.request_frames import FRAME_BYTES, Kind, Refusal, answer_head, decode_request
from quire.net.transport import Channel, PeerId, Transport

# The payload is a view into what arrived; the answer's segments are joined by the transport.
Handler: TypeAlias = Callable[[PeerId, memoryview], Awaitable[Sequence[Buffer]]]

Key = TypeVar("Key")

IN_FLIGHT_PER_PEER = 48  # more than `Requests` has outstanding: an answer frees a place there first
IN_FLIGHT = 256  # of all peers together, in the hands of the handler
UNREAD = 256  # answers of all peers together that wait to be read
CHANNELS_PER_PEER = 4
RETRY_SECONDS = 1.0
SEND_SECONDS = 120.0  # a peer that reads nothing for so long loses its channel


class Answering:
    """One served protocol."""

    def __init__(
        self,
        protocol: str,
        handler: Handler,
        events: EventBus,
        *,
        in_flight_per_peer: int = IN_FLIGHT_PER_PEER,
        in_flight: int = IN_FLIGHT,
        unread: int = UNREAD,
    ) -> None:
        self._protocol = protocol
        self._handler = handler
        self._events = events
        self._per_peer_max = in_flight_per_peer
        self._max = in_flight
        self._unread_max = unread
        self._working = 0
        self._unread: dict[Channel, int] = {}
        self._of_peer: dict[PeerId, int] = {}
        self._channels: dict[PeerId, int] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._is_stopping = False

    async def serve(self, channel: Channel) -> None:
        """Serve one channel to its end. Raises PeerLied when the peer breaks the framing."""
        peer = channel.peer
        if self._channels.get(peer, 0) >= CHANNELS_PER_PEER:
            channel.abort("too many channels")
            return
        self._channels[peer] = self._channels.get(peer, 0) + 1
        try:
            while True:
                await self._take(channel, *decode_request(await channel.receive()))
        except BadEncoding as problem:
            raise PeerLied(f"{peer} sent no request: {problem.message}", peer=peer) from None
        finally:
            _count_down(self._channels, peer)

    async def stop(self) -> None:
        """Refuse what comes from now on, and stop what is being worked on."""
        self._is_stopping = True
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    async def _take(self, channel: Channel, seq: int, payload: memoryview) -> None:
        peer = channel.peer
        refusal = self._refusal(peer)
        if refusal is not None:
            await self._send(channel, answer_head(seq, Kind.BUSY), refusal.encode())
            return
        self._of_peer[peer] = self._of_peer.get(peer, 0) + 1
        task = asyncio.get_running_loop().create_task(self._work(channel, seq, payload))
        self._tasks[task] = None
        task.add_done_callback(partial(self._done, peer))

    def _refusal(self, peer: PeerId) -> Refusal | None:
        if self._is_stopping:
            return Refusal("this node is stopping", True, RETRY_SECONDS)
        count = self._of_peer.get(peer, 0)
        if count >= self._per_peer_max:
            words = f"{count} of your requests are under way, which is the limit"
            return Refusal(words, True, RETRY_SECONDS)
        if self._working >= self._max:
            return Refusal("this node has all hands full", True, RETRY_SECONDS)
        return None

    async def _work(self, channel: Channel, seq: int, payload: memoryview) -> None:
        self._working += 1
        try:
            segments = await self._handler(channel.peer, payload)
            head = answer_head(seq)
        except QuireError as error:
            kind = Kind.BUSY if error.retry else Kind.REFUSED
            refusal = Refusal(error.message, error.retry, RETRY_SECONDS)
            head, segments = answer_head(seq, kind), (refusal.encode(),)
        except Exception as error:
            words = Refusal("this node made a mistake at this request", False).encode()
            with contextlib.suppress(PeerError):
                await self._send(channel, answer_head(seq, Kind.REFUSED), words)
            self._events.publish(
                "request.failed",
                channel.peer,
                f"a request on {self._protocol} failed with {error!r}; please report it",
            )
            raise
        finally:
            self._working -= 1
        with contextlib.suppress(PeerError):
            try:
                await self._send(channel, head, *segments)
            except TooLarge as error:
                words = Refusal(f"the answer is too large: {error.message}", False).encode()
                await self._send(channel, answer_head(seq, Kind.REFUSED), words)

    def _done(self, peer: PeerId, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        _count_down(self._of_peer, peer)
        if not task.cancelled():
            task.exception()  # told already

    async def _send(self, channel: Channel, *segments: Buffer) -> None:
        self._unread[channel] = self._unread.get(channel, 0) + 1
        if sum(self._unread.values()) > self._unread_max:
            slowest = max(self._unread, key=self._unread.__getitem__)
            slowest.abort("it does not read its answers, and others wait")
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await channel.send(*segments)
        except TimeoutError:
            channel.abort(f"it read nothing for {SEND_SECONDS:.0f} s")
        finally:
            _count_down(self._unread, channel)


def serve_requests(
    transport: Transport,
    protocol: str,
    handler: Handler,
    events: EventBus,
    *,
    max_message_bytes: int,
    in_flight_per_peer: int = IN_FLIGHT_PER_PEER,
) -> Answering:
    """Let a handler answer the requests of a protocol; to be called before the transport starts.

    handler            (peer, payload) -> segments of the answer; a QuireError becomes a refusal
    max_message_bytes  of payloads, both ways
    """
    answering = Answering(protocol, handler, events, in_flight_per_peer=in_flight_per_peer)
    transport.serve(protocol, answering.serve, max_message_bytes=max_message_bytes + FRAME_BYTES)
    return answering


def _count_down(counts: dict[Key, int], key: Key) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
