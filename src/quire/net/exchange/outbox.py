"""Replies on their way into one channel: a writer task sends them one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from quire.base.errors import PeerError
from quire.formats.exchange import ExchangeMessage
from quire.net.exchange.limits import ExchangeLimits
from quire.net.transport import Channel

OnSent = Callable[[bool], None]


class Outbox:
    """An unbounded line whose filler asks for room first (`until_room`)."""

    def __init__(self, channel: Channel, limits: ExchangeLimits) -> None:
        self._channel = channel
        self._limit = limits.replies_per_peer
        self._send_seconds = limits.send_seconds
        self._line: deque[tuple[ExchangeMessage, OnSent | None]] = deque()
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self.is_closed = False
        self._writer = asyncio.get_running_loop().create_task(self._write())

    def put(self, message: ExchangeMessage, on_sent: OnSent | None = None) -> None:
        """Send a message in its turn; `on_sent` is told whether the transport took it."""
        if self.is_closed:
            if on_sent is not None:
                on_sent(False)
            return
        self._line.append((message, on_sent))
        self._filled.set()
        if len(self._line) >= self._limit:
            self._drained.clear()

    async def until_room(self) -> None:
        """Wait while the limit is reached: the peer asks faster than it reads."""
        await self._drained.wait()

    def close(self) -> None:
        """Drop what is not sent."""
        if not self.is_closed:
            self.is_closed = True
            self._writer.cancel()
            self._drop_all()

    async def _write(self) -> None:
        try:
            while True:
                await self._filled.wait()
                while self._line:
                    message, on_sent = self._line.popleft()
                    was_sent = False
                    try:
                        async with asyncio.timeout(self._send_seconds):
                            await self._channel.send(*message.segments())
                        was_sent = True
                    finally:
                        if on_sent is not None:
                            on_sent(was_sent)
                    if len(self._line) <= self._limit // 2:
                        self._drained.set()
                self._filled.clear()
        except (PeerError, TimeoutError) as problem:
            self._channel.abort(f"nothing can be sent: {problem}")
            self.is_closed = True
            self._drop_all()

    def _drop_all(self) -> None:
        self._drained.set()
        while self._line:
            _, on_sent = self._line.popleft()
            if on_sent is not None:
                on_sent(False)
