"""mplex: streams in one connection, without flow control."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from support.reference.bytes_ import Malformed, lp, read_lp, read_uvarint, uvarint
from support.reference.noise import SecureStream

NEW, MESSAGE, CLOSE, RESET = 0, 2, 4, 6  # of the stream's opener; the other side sends one less
MOST_DATA = 1 << 20
MOST_INBOUND = 200


class MplexStream:
    """One stream."""

    def __init__(self, muxer: Mplex, number: int, *, is_ours: bool) -> None:
        self.reader = asyncio.StreamReader(limit=1 << 30)
        self.used_at = asyncio.get_running_loop().time()
        self.was_reset = False
        self._muxer = muxer
        self._number = number
        self._is_ours = is_ours
        self._is_closed = False
        self._has_ended = False

    async def readexactly(self, count: int) -> bytes:
        return await self.reader.readexactly(count)

    def write(self, data: bytes) -> None:
        if self._is_closed or self.was_reset:
            raise ConnectionResetError("the stream is over")
        for at in range(0, max(len(data), 1), MOST_DATA - 64):
            self._send(MESSAGE, data[at : at + MOST_DATA - 64])

    def close(self) -> None:
        if not self._is_closed and not self.was_reset:
            self._is_closed = True
            self._send(CLOSE)

    def reset(self) -> None:
        if not self.was_reset:
            self._send(RESET)
            self.end(was_reset=True)
            self._muxer.forget(self._number, is_ours=self._is_ours)

    def take(self, data: bytes) -> None:
        self.used_at = asyncio.get_running_loop().time()
        if not self._has_ended:
            self.reader.feed_data(data)

    def end(self, *, was_reset: bool) -> None:
        self.was_reset = self.was_reset or was_reset
        self._has_ended = True
        self.reader.feed_eof()

    def _send(self, tag: int, data: bytes = b"") -> None:
        self.used_at = asyncio.get_running_loop().time()
        self._muxer.send(self._number, tag if self._is_ours else tag - 1, data)


class Mplex:
    """The muxer of one connection; `on_stream` gets every stream that the peer opens."""

    def __init__(
        self, stream: SecureStream, on_stream: Callable[[MplexStream], Awaitable[None]]
    ) -> None:
        self._stream = stream
        self._on_stream = on_stream
        self._ours: dict[int, MplexStream] = {}
        self._theirs: dict[int, MplexStream] = {}
        self._last = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> MplexStream:
        self._last += 1
        stream = self._ours[self._last] = MplexStream(self, self._last, is_ours=True)
        self.send(self._last, NEW, b"")
        return stream

    def send(self, number: int, tag: int, data: bytes) -> None:
        self._stream.write(uvarint(number << 3 | tag) + lp(data))

    async def drain(self) -> None:
        await self._stream.drain()

    def forget(self, number: int, *, is_ours: bool) -> None:
        (self._ours if is_ours else self._theirs).pop(number, None)

    def streams(self) -> list[MplexStream]:
        return [*self._ours.values(), *self._theirs.values()]

    async def run(self) -> None:
        """Read until the connection ends."""
        try:
            while True:
                header = await read_uvarint(self._stream)
                data = await read_lp(self._stream, MOST_DATA)
                self._take(header >> 3, header & 7, data)
        finally:
            for stream in self.streams():
                stream.end(was_reset=True)
            for task in list(self._tasks):
                task.cancel()

    def _take(self, number: int, tag: int, data: bytes) -> None:
        if tag == 7 or (tag == NEW and number in self._theirs):
            raise Malformed("mplex")
        if tag == NEW:
            if len(self._theirs) >= MOST_INBOUND:
                raise Malformed("too many streams")
            stream = self._theirs[number] = MplexStream(self, number, is_ours=False)
            task = asyncio.get_running_loop().create_task(self._serve(stream))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        table = self._ours if tag % 2 else self._theirs
        found = table.get(number)
        if found is None:
            return
        if tag in (MESSAGE - 1, MESSAGE):
            found.take(data)
        else:
            found.end(was_reset=tag in (RESET - 1, RESET))
            if tag in (RESET - 1, RESET):
                del table[number]

    async def _serve(self, stream: MplexStream) -> None:
        try:
            await self._on_stream(stream)
        except (Malformed, OSError, EOFError):
            stream.reset()
