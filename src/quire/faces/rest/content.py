"""Sending content that never changes: conditions, ranges, headers, and the bytes themselves."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import TypeAlias

import structlog
from aiohttp import web

from quire.base.errors import InputError, QuireError
from quire.base.units import MIB
from quire.faces.rest.byteranges import ByteRange, Multipart, RangeOutside, wanted_ranges
from quire.faces.rest.conditions import range_counts, verdict
from quire.faces.rest.connected import while_connected
from quire.faces.rest.disposition import disposition, may_be_shown
from quire.faces.rest.inputs import is_wanted
from quire.faces.rest.reply import ERROR_HEADERS, STREAM_HTML, Plain

SEND_BUFFER_BYTES = 2 * MIB  # of one answer; while the client takes these the next are read
FOREVER = "public, max-age=31536000, immutable"

Chunks: TypeAlias = AsyncGenerator[memoryview, None]


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes with a CID. `read(start, length)` yields exactly those, in order."""

    cid: str
    size: int
    media_type: str
    filename: str | None
    read: Callable[[int, int], Chunks]

    @property
    def etag(self) -> str:
        return f'"{self.cid}"'


async def send_content(
    request: web.Request, content: Content, more_headers: dict[str, str]
) -> web.StreamResponse:
    """Answer GET and HEAD for `content`: 200, 206, 304, 412 or 416."""
    fixed = {"ETag": content.etag, "Cache-Control": FOREVER, "Accept-Ranges": "bytes"}
    match verdict(request.headers, content.etag):
        case "unchanged":
            return web.Response(status=304, headers=fixed | more_headers)
        case "failed":
            error = InputError(f"If-Match names other content; this is {content.etag}")
            raise Plain(412, error.message, error, STREAM_HTML)
    parts = _parts(request, content)
    headers = fixed | _headers(request, content) | more_headers
    whole = [ByteRange(0, content.size)]
    if len(parts) > 1:
        frame = Multipart(parts, content.size, headers["Content-Type"], content.cid)
        headers |= {"Content-Type": frame.content_type, "Content-Length": str(frame.length)}
        pieces = _framed(content, frame)
    else:
        (part,) = parts or whole
        headers["Content-Length"] = str(part.length)
        if parts:
            headers["Content-Range"] = part.content_range(content.size)
        pieces = content.read(part.start, part.length)
    answer = web.StreamResponse(status=206 if parts else 200, headers=headers)
    if request.method == "HEAD":
        await answer.prepare(request)
        return answer
    async with contextlib.aclosing(pieces):
        await send_chunks(request, answer, pieces)
    return answer


def _parts(request: web.Request, content: Content) -> list[ByteRange]:
    """The ranges that are asked for; empty for the whole. Only a GET asks for ranges."""
    lines = request.headers.getall("Range", [])
    is_asked = request.method == "GET" and len(lines) == 1
    if not is_asked or not range_counts(request.headers, content.etag):
        return []
    try:
        return wanted_ranges(lines[0], content.size)
    except RangeOutside:
        error = InputError(
            f"the range {lines[0][:80]} is outside the {content.size} bytes of the content"
        )
        outside = Plain(416, error.message, error, STREAM_HTML)
        outside.headers["Content-Range"] = f"bytes */{content.size}"
        raise outside from None


def _headers(request: web.Request, content: Content) -> dict[str, str]:
    inline = is_wanted(request, "inline") and may_be_shown(content.media_type)
    headers = {
        "Content-Type": content.media_type,
        "Content-Disposition": disposition(content.filename, inline=inline),
    }
    return headers | (ERROR_HEADERS if inline and "pdf" not in content.media_type else {})


async def _framed(content: Content, frame: Multipart) -> Chunks:
    for part in frame.parts:
        yield memoryview(frame.head(part))
        async with contextlib.aclosing(content.read(part.start, part.length)) as chunks:
            async for chunk in chunks:
                yield chunk
    yield memoryview(frame.end)


async def send_chunks(
    request: web.Request,
    answer: web.StreamResponse,
    chunks: Chunks | AsyncGenerator[bytes | memoryview, None],
) -> None:
    """Send the chunks. The first is read before the headers go, so that it can still fail in
    words; after that the only way to tell the client is to cut the connection."""
    try:
        async with while_connected(request):
            chunk = await anext(chunks, None)
            await answer.prepare(request)
            if request.transport is not None:
                request.transport.set_write_buffer_limits(high=SEND_BUFFER_BYTES)
            while chunk is not None:
                await answer.write(chunk)
                chunk = await anext(chunks, None)
            await answer.write_eof()
    except QuireError as error:
        if not answer.prepared:
            raise
        structlog.get_logger().warning(
            f"a download was cut: {error.message}", topics="restapi", path=request.path
        )
        if request.transport is not None:
            request.transport.abort()
    except ConnectionError:
        structlog.get_logger().debug("a reader went away", topics="restapi", path=request.path)
