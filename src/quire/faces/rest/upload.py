"""POST /data: the body becomes a dataset. Memory stays flat whatever its size."""

from __future__ import annotations

from contextlib import aclosing

from aiohttp import web

from quire.faces.rest.body import pieces
from quire.faces.rest.inputs import block_size_of, filename_of, mimetype_of
from quire.faces.rest.reply import reply_text
from quire.flow.upload import UploadOrder
from quire.node.node import Node


async def upload(request: web.Request, node: Node) -> web.Response:
    """Store the body; answers with the manifest CID once it is durable."""
    mimetype, filename = mimetype_of(request), filename_of(request)
    order = UploadOrder(
        block_size=block_size_of(request, node),
        expected_bytes=request.content_length if request.can_read_body else 0,
        filename=filename,
        mimetype=mimetype,
    )
    idle_seconds = node.config.upload_idle_timeout
    async with aclosing(pieces(request, idle_seconds, node.waits)) as body:
        dataset = await node.uploads.run(body, order)
    return reply_text(str(dataset.manifest_cid))


async def expect_nothing(_request: web.Request) -> None:
    """Leaves the answer to `Expect: 100-continue` to the handler."""
