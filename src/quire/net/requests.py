"""Asking peers: one long-lived channel for each peer and protocol, answers matched by number.

    ask ─► a place among the outstanding ─► channel, opened when there is none ─► send
        ◄── answer of the same number, or PeerGone for all that wait when the channel ends

A channel on which nothing has been asked for a while is closed; the next request opens another.
The other end is `answering.py`. Source   ADR 0036
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from quire.base.errors import (
    BadEncoding,
    PeerBusy,
    PeerError,
    PeerGone,
    PeerLied,
    PeerRefused,
    PeerSilent,
)
from quire.formats.varint import Buffer
from quire.net.request_frames import FRAME_BYTES, Refusal, decode_answer, request_head
from quire.net.single_flight import SingleFlight
from quire.net.transport import Address, Channel, PeerId, Transport

OUTSTANDING_PER_PEER = 32
IDLE_SECONDS = 60.0
OPEN_SECONDS = 10.0
ABANDONED_MAX = 256  # requests whose answer nobody waits for any more, on one channel


class Requests:
    """The requests of one node, for every protocol of this kind."""

    def __init__(
        self,
        transport: Transport,
        *,
        outstanding_per_peer: int = OUTSTANDING_PER_PEER,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._transport = transport
        self._outstanding = outstanding_per_peer
        self._idle_seconds = idle_seconds
        self._lines: dict[tuple[PeerId, str], _Line] = {}
        self._opening: SingleFlight[tuple[PeerId, str], _Line] = SingleFlight()
        self._places: dict[tuple[PeerId, str], _Places] = {}
        self._is_stopped = False

    async def ask(
        self,
        peer: PeerId,
        protocol: str,
        segments: Sequence[Buffer],
        *,
        deadline: float,
        max_message_bytes: int,
        addresses: Sequence[Address] = (),
    ) -> memoryview:
        """The payload of the answer; a view. `deadline` in monotonic seconds.

        max_message_bytes  of payloads, both ways; the same for every request of a protocol
        addresses          where to dial a peer that is not connected

        Raises   PeerSilent        no connection, no place or no answer before `deadline`; the
                                   request may have been taken
                 PeerGone          the channel ended; the request may have been taken
                 PeerBusy          it may be asked again; fact `retry_after_seconds`
                 PeerRefused       it said no, in words
                 PeerLied          it sent what is no answer
                 ProtocolMismatch  it does not speak the protocol
                 TooLarge          the payload is above the limit
        """
        key = (peer, protocol)
        places = self._places.get(key)
        if places is None:
            places = self._places[key] = _Places(self._outstanding)
        places.users += 1
        try:
            async with asyncio.timeout_at(deadline), places.semaphore:
                answer = await self._exchange(key, segments, max_message_bytes, addresses)
        except TimeoutError:
            raise PeerSilent(f"{peer} did not answer on {protocol} in time", peer=peer) from None
        finally:
            places.users -= 1
            if not places.users:
                del self._places[key]
        if not isinstance(answer, Refusal):
            return answer
        words = f"{peer} refused: {answer.words}"
        if answer.is_busy:
            raise PeerBusy(words, peer=peer, retry_after_seconds=answer.retry_after_seconds)
        raise PeerRefused(words, peer=peer)

    def open_channels(self) -> list[tuple[PeerId, str]]:
        """(peer, protocol) of the channels that are open."""
        return list(self._lines)

    def stop(self) -> None:
        """End every channel; whoever waits gets PeerGone."""
        self._is_stopped = True
        for line in list(self._lines.values()):
            line.end(PeerGone("the node stops", peer=line.peer))

    async def _exchange(
        self,
        key: tuple[PeerId, str],
        segments: Sequence[Buffer],
        max_message_bytes: int,
        addresses: Sequence[Address],
    ) -> memoryview | Refusal:
        was_open = key in self._lines
        line = await self._line(key, max_message_bytes, addresses)
        try:
            return await line.ask(segments)
        except _NotSent as problem:
            if not was_open:
                raise problem.why from None
        # The channel had ended unnoticed, and took nothing of it: once more on a new one.
        line = await self._line(key, max_message_bytes, addresses)
        try:
            return await line.ask(segments)
        except _NotSent as problem:
            raise problem.why from None

    async def _line(
        self, key: tuple[PeerId, str], max_message_bytes: int, addresses: Sequence[Address]
    ) -> _Line:
        line = self._lines.get(key)
        if line is not None:
            return line
        return await self._opening.run(key, lambda: self._open(key, max_message_bytes, addresses))

    async def _open(
        self, key: tuple[PeerId, str], max_message_bytes: int, addresses: Sequence[Address]
    ) -> _Line:
        peer, protocol = key
        deadline = asyncio.get_running_loop().time() + OPEN_SECONDS
        await self._transport.dial(peer, addresses, deadline)
        channel = await self._transport.open(
            peer, protocol, max_message_bytes=max_message_bytes + FRAME_BYTES, deadline=deadline
        )
        if self._is_stopped:
            channel.abort("the node stops")
            raise PeerGone("the node stops", peer=peer)
        line = self._lines[key] = _Line(channel, self._idle_seconds, self._ended)
        return line

    def _ended(self, line: _Line) -> None:
        key = (line.peer, line.protocol)
        if self._lines.get(key) is line:
            del self._lines[key]


class _Places:
    """How many requests may be under way at one peer."""

    __slots__ = ("semaphore", "users")

    def __init__(self, count: int) -> None:
        self.semaphore = asyncio.Semaphore(count)
        self.users = 0


class _NotSent(Exception):
    """The transport took nothing of the request."""

    def __init__(self, why: PeerGone) -> None:
        super().__init__(why.message)
        self.why = why


class _Line:
    """One channel and what waits on it. Ends once, with one reason for all."""

    def __init__(
        self, channel: Channel, idle_seconds: float, on_end: Callable[[_Line], None]
    ) -> None:
        self.peer = channel.peer
        self.protocol = channel.protocol
        self._channel = channel
        self._idle_seconds = idle_seconds
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._last_seq = 0
        self._waiting: dict[int, asyncio.Future[memoryview | Refusal]] = {}
        self._abandoned: dict[int, None] = {}
        self._ended: PeerError | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._reader = self._loop.create_task(self._read())

    async def ask(self, segments: Sequence[Buffer]) -> memoryview | Refusal:
        """Raises _NotSent, PeerGone, PeerLied, TooLarge."""
        if self._ended is not None:
            raise _NotSent(PeerGone(self._ended.message, peer=self.peer))
        self._last_seq += 1
        seq = self._last_seq
        answer: asyncio.Future[memoryview | Refusal] = self._loop.create_future()
        self._waiting[seq] = answer
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        is_sent = False
        try:
            await self._channel.send(request_head(seq), *segments)
            is_sent = True
            return await answer
        except PeerGone as problem:
            if not is_sent:
                self.end(problem)
                raise _NotSent(problem) from None
            raise
        finally:
            if self._waiting.pop(seq, None) is not None and is_sent:
                self._abandon(seq)
            self._watch_idle()

    def end(self, problem: PeerError) -> None:
        """Drop the channel. Harmless when it has ended."""
        if self._ended is not None:
            return
        self._ended = problem
        self._channel.abort(problem.message)
        self._reader.cancel()
        if self._idle is not None:
            self._idle.cancel()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(type(problem)(problem.message, **problem.facts))
                answer.exception()  # seen: whoever asked may have been cancelled
        self._waiting.clear()
        self._on_end(self)

    def _abandon(self, seq: int) -> None:
        if self._ended is not None:
            return
        self._abandoned[seq] = None
        if len(self._abandoned) > ABANDONED_MAX:
            self.end(PeerSilent(f"{self.peer} left {ABANDONED_MAX} requests unanswered"))

    def _watch_idle(self) -> None:
        if self._ended is None and not self._waiting and self._idle is None:
            self._idle = self._loop.call_later(self._idle_seconds, self._close_idle)

    def _close_idle(self) -> None:
        self._idle = None
        if not self._waiting:
            self.end(PeerGone(f"nothing was asked for {self._idle_seconds:.0f} s", peer=self.peer))

    async def _read(self) -> None:
        try:
            while True:
                self._take(await self._channel.receive())
        except BadEncoding as problem:
            self.end(PeerLied(f"{self.peer} sent no answer: {problem.message}", peer=self.peer))
        except PeerError as problem:
            self.end(problem)

    def _take(self, message: memoryview) -> None:
        seq, answer = decode_answer(message)
        waiting = self._waiting.pop(seq, None)
        if waiting is None:
            if seq not in self._abandoned:
                raise PeerLied(f"{self.peer} answered what nobody asked", peer=self.peer)
            del self._abandoned[seq]
        elif not waiting.done():
            waiting.set_result(answer)
