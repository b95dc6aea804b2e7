"""POST /data: the body becomes a dataset. Memory stays flat whatever its size."""

from __future__ import annotations

from contextlib import aclosing

from aiohttp import web

from quire.base.errors import EmptyUpload
from quire.faces.rest.body import pieces
from quire.faces.rest.inputs import filename_of, mimetype_of
from quire.faces.rest.reply import reply_text
from quire.flow.upload import UploadOrder
from quire.node.node import Node


async def upload(request: web.Request, node: Node) -> web.Response:
    """Store the body; answers with the manifest CID once it is durable."""
    mimetype, filename = mimetype_of(request), filename_of(request)
    if not request.can_read_body:
        raise EmptyUpload("the upload is empty; a dataset needs at least one byte")
    order = UploadOrder(
        block_size=node.profile.block_size,
        expected_bytes=request.content_length,
        filename=filename,
        mimetype=mimetype,
    )
    idle_seconds = node.config.upload_idle_timeout
    async with aclosing(pieces(request, idle_seconds, node.waits)) as body:
        dataset = await node.uploads.run(body, order)
    return reply_text(str(dataset.manifest_cid))


async def expect_nothing(_request: web.Request) -> None:
    """Leaves the answer to `Expect: 100-continue` to the handler."""
