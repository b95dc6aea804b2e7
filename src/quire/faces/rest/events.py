"""GET /events: what happens in the node, as server-sent events.

`id:` is the event's serial, `event:` its kind, `data:` the event as JSON. A client that comes back
with Last-Event-ID gets what it missed, as far as it is remembered. A reader that is too slow loses
its oldest events and is told how many by an event `lost`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

import msgspec
from aiohttp import web

from quire.base.errors import InputError
from quire.base.events import Event
from quire.faces.rest.reply import EVENT_STREAM
from quire.node.node import Node

KEEP_ALIVE_SECONDS = 15.0
QUEUED_EVENTS = 1024


class EventStreams:
    """All open event streams of one server, so that stopping can end them."""

    def __init__(self) -> None:
        self._open: set[_Reader] = set()

    async def stream(
        self, request: web.Request, node: Node, is_wanted: Callable[[Event], bool] | None = None
    ) -> web.StreamResponse:
        """Those that the query asks for, of those that are wanted at all."""
        reader = _Reader(request.query.get("subject"), request.query.get("kind", ""), is_wanted)
        since = _last_serial(request)
        answer = web.StreamResponse(
            headers={"Content-Type": EVENT_STREAM, "Cache-Control": "no-store"}
        )
        await answer.prepare(request)
        if request.method == "HEAD":
            return answer
        if since is not None:
            for event in node.events.history(reader.subject):
                if event.serial > since:
                    reader.take(event)
        stop_listening = node.events.listen(reader.take)
        self._open.add(reader)
        try:
            await answer.write(b"retry: 1000\n\n")
            while not reader.is_closed:
                await answer.write(await reader.next())
        except ConnectionError:
            pass  # the client went away, which is how a stream ends
        finally:
            self._open.discard(reader)
            stop_listening()
        return answer

    def close(self) -> None:
        for reader in list(self._open):
            reader.close()


class _Reader:
    """The queue of one stream. `take` never waits."""

    def __init__(
        self, subject: str | None, kind: str, is_wanted: Callable[[Event], bool] | None
    ) -> None:
        self.subject = subject
        self.is_closed = False
        self._kind = kind
        self._is_wanted = is_wanted
        self._queue: deque[Event] = deque()
        self._lost = 0
        self._wake = asyncio.Event()

    def take(self, event: Event) -> None:
        if self.subject is not None and event.subject != self.subject:
            return
        if not event.kind.startswith(self._kind):
            return
        if self._is_wanted is not None and not self._is_wanted(event):
            return
        if len(self._queue) >= QUEUED_EVENTS:
            self._queue.popleft()
            self._lost += 1
        self._queue.append(event)
        self._wake.set()

    def close(self) -> None:
        self.is_closed = True
        self._wake.set()

    async def next(self) -> bytes:
        """What to send now: all that is queued, or a comment that keeps the connection alive."""
        if not self._queue and not self.is_closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                    await self._wake.wait()
        self._wake.clear()
        parts = []
        if self._lost:
            parts.append(b'event: lost\ndata: {"count":%d}\n\n' % self._lost)
            self._lost = 0
        while self._queue:
            parts.append(_frame(self._queue.popleft()))
        return b"".join(parts) or b": alive\n\n"


def _frame(event: Event) -> bytes:
    data = msgspec.json.encode(event.as_dict(), enc_hook=str)
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.serial, event.kind.encode(), data)


def _last_serial(request: web.Request) -> int | None:
    text = request.headers.get("Last-Event-ID", request.query.get("since"))
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InputError(f"Last-Event-ID {text[:40]!r} is not the serial of an event")
    return int(text)
