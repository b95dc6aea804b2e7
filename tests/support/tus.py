"""Requests of tus 1.0 over a bare socket, with their headers filled in."""

from __future__ import annotations

import base64
import hashlib

from support.http import Reply, send

UPLOADS = "/api/quire/v1/uploads"
BYTES = "application/offset+octet-stream"
TUS = {"Tus-Resumable": "1.0.0"}


def metadata(**pairs: str) -> str:
    return ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in pairs.items())


def checksum(data: bytes, algorithm: str = "sha256") -> str:
    digest = hashlib.new(algorithm, data).digest()
    return f"{algorithm} {base64.b64encode(digest).decode()}"


async def create(
    url: str, length: int | None, body: bytes | None = None, **headers: str | None
) -> Reply:
    """Begin an upload; underscores in names of headers become dashes."""
    given: dict[str, str | None] = dict(TUS)
    if length is None:
        given["Upload-Defer-Length"] = "1"
    else:
        given["Upload-Length"] = str(length)
    if body is not None:
        given["Content-Type"] = BYTES
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await send(url, "POST", UPLOADS, given, body or b"")


async def begun(url: str, length: int | None, **headers: str | None) -> str:
    """The path of a new upload."""
    reply = await create(url, length, **headers)
    assert reply.status == 201, reply.text
    return reply.headers["location"]


async def patch(url: str, path: str, offset: int, body: bytes, **headers: str | None) -> Reply:
    given: dict[str, str | None] = {**TUS, "Upload-Offset": str(offset), "Content-Type": BYTES}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await send(url, "PATCH", path, given, body)


async def head(url: str, path: str) -> Reply:
    return await send(url, "HEAD", path, dict(TUS))


async def offset_of(url: str, path: str) -> int:
    reply = await head(url, path)
    assert reply.status == 200
    assert reply.headers["cache-control"] == "no-store"
    return int(reply.headers["upload-offset"])
