"""The body of an upload in pieces, for as long as its client keeps sending."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import ClientPayloadError, web

from quire.base.errors import DeadlineExceeded, InputError
from quire.base.units import format_duration
from quire.base.waits import Wait, Waits

WATCH_SECONDS = 0.5
DROPPED = "nothing was kept, send it again"


async def pieces(
    request: web.Request, idle_seconds: float, waits: Waits, advice: str = DROPPED
) -> AsyncGenerator[bytes, None]:
    """The body in the pieces in which it arrived; the store gathers them without another copy.

    Starting to iterate is what lets a client that asked (Expect: 100-continue) begin to send, so
    that a refusal reaches it before its data leaves. `advice` says what becomes of what came.

    Raises   InputError        the connection ended, or what came is not a body in HTTP
             DeadlineExceeded  nothing came for `idle_seconds`
    """
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    deadline = asyncio.get_running_loop().time() + idle_seconds
    with waits.waiting("upload", "the client sends the rest of its upload", deadline) as wait:
        watch = _Watch(request, idle_seconds, wait, advice)
        try:
            async with aclosing(_pieces(request, watch, advice)) as found:
                async for piece in found:
                    yield piece
        finally:
            watch.end()


async def _pieces(request: web.Request, watch: _Watch, advice: str) -> AsyncGenerator[bytes, None]:
    try:
        while True:
            watch.is_waiting = True
            piece = (await request.content.readchunk())[0]
            watch.is_waiting = False
            if not piece:
                return
            yield piece
    except (ConnectionError, ClientPayloadError, web.PayloadAccessError) as error:
        raise InputError(f"the connection ended before the upload did; {advice}") from error


class _Watch:
    """Looks now and then whether a body still comes, which costs a piece nothing."""

    def __init__(self, request: web.Request, idle_seconds: float, wait: Wait, advice: str) -> None:
        self._advice = advice
        self.is_waiting = False
        self._wait = wait
        self._request = request
        self._idle_seconds = idle_seconds
        self._loop = asyncio.get_running_loop()
        self._seen_bytes = -1
        self._since = self._loop.time()
        self._timer = self._loop.call_later(WATCH_SECONDS, self._look)

    def end(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        self._timer = self._loop.call_later(WATCH_SECONDS, self._look)
        content, now = self._request.content, self._loop.time()
        if content.total_bytes != self._seen_bytes or not self.is_waiting:
            self._seen_bytes, self._since = content.total_bytes, now
            self._wait.deadline = now + self._idle_seconds
        elif now - self._since > self._idle_seconds:
            content.set_exception(DeadlineExceeded(
                f"no byte of the upload came for {format_duration(self._idle_seconds)};"
                f" {self._advice}"
            ))  # fmt: skip
        # aiohttp takes what does not parse within a body for the next request, and leaves the body
        # waiting for ever.
        if self.is_waiting and self._request.protocol._messages and not content.is_eof():
            problem = f"the body is not valid in HTTP (a chunk of wrong size?); {self._advice}"
            content.set_exception(InputError(problem))
