"""GET /data/{cid} and /data/{cid}/network/stream: a dataset as a stream, whole or one range."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from urllib.parse import quote

import structlog
from aiohttp import web

from quire.base.errors import QuireError, UnknownDataset
from quire.base.units import MIB
from quire.faces.rest.connected import while_connected
from quire.faces.rest.data import NOT_A_MANIFEST, find_dataset
from quire.faces.rest.inputs import cid_of, range_of, timeout_of
from quire.faces.rest.reply import STREAM_HTML, Plain
from quire.flow.fetch import NotAManifest
from quire.formats.cid import is_manifest
from quire.formats.names import base_name
from quire.node.node import Node
from quire.store.dataset import Dataset

NOT_LOCAL = "The requested CID could not be retrieved (Block not found in local store)."
DEFAULT_TYPE = "application/octet-stream"
SEND_BUFFER_BYTES = 2 * MIB  # of one answer; while the client takes these the next are read
EXPOSED = {"Access-Control-Expose-Headers": "Content-Disposition"}


async def download_local(request: web.Request, node: Node) -> web.StreamResponse:
    """Stream a dataset whose manifest is here; blocks that are not come from the network."""
    cid = cid_of(request)
    if not is_manifest(cid):
        await _refuse(node, request)
    dataset = await node.store.dataset(cid)
    if dataset is None:
        raise Plain(404, NOT_LOCAL, UnknownDataset(f"{cid} is not on this node"), STREAM_HTML)
    return await _stream(request, node, dataset)


async def download_network(request: web.Request, node: Node) -> web.StreamResponse:
    """Stream a dataset from wherever it is."""
    try:
        dataset = await find_dataset(request, node)
    except Plain as plain:
        plain.media_type = STREAM_HTML
        plain.headers |= EXPOSED
        raise
    await node.fetches.keep(dataset)
    return await _stream(request, node, dataset, EXPOSED)


async def _refuse(node: Node, request: web.Request) -> None:
    """The words of the reference for a CID that is no manifest: does it hold such a block?"""
    cid = cid_of(request)
    error = NotAManifest(f"{cid} does not name a dataset: it is not a manifest CID", cid=str(cid))
    try:
        await node.store.read_block(cid)
    except QuireError:
        raise Plain(404, NOT_LOCAL, error, STREAM_HTML) from None
    raise Plain(404, NOT_A_MANIFEST, error, STREAM_HTML)


async def _stream(
    request: web.Request,
    node: Node,
    dataset: Dataset,
    more_headers: dict[str, str] | None = None,
) -> web.StreamResponse:
    size = dataset.manifest.original_size
    etag = f'"{dataset.manifest_cid}"'
    if etag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers={"ETag": etag})
    part = range_of(request, size, etag)
    start, stop = part or (0, size)
    headers = _headers(dataset, etag, stop - start) | (more_headers or {})
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    answer = web.StreamResponse(status=200 if part is None else 206, headers=headers)
    if request.method == "HEAD":
        await answer.prepare(request)
        return answer
    chunks = node.downloads.read(
        dataset, offset=start, length=stop - start, idle_seconds=timeout_of(request, node)
    )
    async with contextlib.aclosing(chunks):
        await send_chunks(request, answer, chunks)
    return answer


async def send_chunks(
    request: web.Request,
    answer: web.StreamResponse,
    chunks: AsyncGenerator[bytes | memoryview, None] | AsyncGenerator[memoryview, None],
) -> None:
    """Send the chunks, for as long as the client is there. The first is read before the headers go,
    so that it can still fail in words; after that the only way to tell the client is to cut the
    connection."""
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


def _headers(dataset: Dataset, etag: str, length: int) -> dict[str, str]:
    manifest = dataset.manifest
    return {
        "Content-Type": manifest.mimetype or DEFAULT_TYPE,
        "Content-Disposition": disposition(manifest.filename),
        "Content-Length": str(length),
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "public, max-age=31536000, immutable",
    }


def disposition(filename: str | None) -> str:
    """The Content-Disposition of a download (RFC 6266): directories cut off, always attached."""
    name = base_name(filename) if filename else ""
    if not name:
        return "attachment"
    plain = "".join(c if " " <= c < "\x7f" and c not in '"\\' else "_" for c in name)
    if plain == name:
        return f'attachment; filename="{name}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
