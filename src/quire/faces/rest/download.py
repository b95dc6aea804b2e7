"""GET /data/{cid} and /data/{cid}/network/stream: a dataset, or a single block, as a stream."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from quire.base.errors import BlockMissing, UnknownDataset
from quire.faces.rest.content import Chunks, Content, send_content
from quire.faces.rest.data import find_dataset
from quire.faces.rest.inputs import cid_of, timeout_of
from quire.faces.rest.reply import STREAM_HTML, Plain
from quire.flow.fetch import NotAManifest
from quire.formats.cid import Cid, is_block, is_manifest
from quire.node.node import Node
from quire.store.dataset import Dataset

NOT_LOCAL = "The requested CID could not be retrieved (Block not found in local store)."
DEFAULT_TYPE = "application/octet-stream"
EXPOSED = {"Access-Control-Expose-Headers": "Content-Disposition"}


async def download_local(request: web.Request, node: Node) -> web.StreamResponse:
    """Stream a dataset whose manifest is here; blocks that are not come from the network."""
    cid = cid_of(request)
    if is_manifest(cid):
        dataset = await node.store.dataset(cid)
        if dataset is None:
            raise Plain(404, NOT_LOCAL, UnknownDataset(f"{cid} is not on this node"), STREAM_HTML)
        return await send_content(request, content_of(request, node, dataset), {})
    try:
        data = await node.store.read_block(cid)
    except BlockMissing:
        error = NotAManifest(f"{cid} is not on this node, and does not name a dataset")
        raise Plain(404, NOT_LOCAL, error, STREAM_HTML) from None
    return await send_content(request, content_of_block(cid, data), {})


async def download_network(request: web.Request, node: Node) -> web.StreamResponse:
    """Stream a dataset or a block from wherever it is."""
    cid = cid_of(request)
    try:
        if is_block(cid):
            deadline = node.clock.monotonic() + timeout_of(request, node)
            data = await node.exchange.fetch_block(cid, deadline)
            return await send_content(request, content_of_block(cid, data), EXPOSED)
        dataset = await find_dataset(request, node)
    except Plain as plain:
        plain.media_type = STREAM_HTML
        plain.headers |= EXPOSED
        raise
    await node.fetches.keep(dataset)
    return await send_content(request, content_of(request, node, dataset), EXPOSED)


def content_of(request: web.Request, node: Node, dataset: Dataset) -> Content:
    """The bytes of a dataset, read as they are wanted."""
    manifest = dataset.manifest
    idle_seconds = timeout_of(request, node)

    def read(start: int, length: int) -> Chunks:
        return node.downloads.read(dataset, offset=start, length=length, idle_seconds=idle_seconds)

    return Content(
        cid=str(dataset.manifest_cid),
        size=manifest.original_size,
        media_type=manifest.mimetype or DEFAULT_TYPE,
        filename=manifest.filename,
        read=read,
    )


def content_of_block(cid: Cid, data: bytes) -> Content:
    """A block as it is stored: the last one of a dataset has zeros at its end."""
    return Content(str(cid), len(data), DEFAULT_TYPE, None, _reader(data))


def _reader(data: bytes) -> Callable[[int, int], Chunks]:
    async def read(start: int, length: int) -> Chunks:
        yield memoryview(data)[start : start + length]

    return read
