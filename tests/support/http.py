"""One HTTP/1.1 request over a bare socket, so that tests can send what no client library would."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Reply:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


async def send(
    url: str,
    method: str,
    path: str,
    headers: dict[str, str | None] | None = None,
    body: bytes = b"",
    *,
    more: list[tuple[str, str]] | None = None,
) -> Reply:
    """Send and read the final answer. A header that is None is left out, Content-Length included;
    `more` are sent besides, so that a name can come twice."""
    given = dict(headers or {})
    if "Content-Length" not in given and (body or method in ("POST", "PUT", "PATCH")):
        given["Content-Length"] = str(len(body))
    lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(url).netloc}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in given.items() if value is not None]
    lines += [f"{name}: {value}" for name, value in more or []]
    raw = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    return await send_raw(url, raw, method)


async def send_raw(url: str, raw: bytes, method: str = "GET") -> Reply:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(raw)
        reply = await read_reply(reader, method)
        while reply.status == 100:
            reply = await read_reply(reader, method)
        return reply
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def read_reply(reader: asyncio.StreamReader, method: str) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "surrogateescape")
    first, *lines = head.strip().split("\r\n")
    headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
    status = int(first.split()[1])
    if status == 100 or method == "HEAD" or status in (204, 304):
        return Reply(status, headers, b"")
    if "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    else:
        body = await reader.read()
    return Reply(status, headers, body)
