"""POST /data: the body becomes a dataset. Memory stays flat whatever its size."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from aiohttp import ClientPayloadError, web

from quire.base.errors import InputError
from quire.faces.rest.inputs import filename_of, mimetype_of
from quire.faces.rest.reply import Plain, reply_text
from quire.flow.upload import UploadOrder
from quire.node.node import Node


async def upload(request: web.Request, node: Node) -> web.Response:
    """Store the body; answers with the manifest CID once it is durable."""
    mimetype, filename = mimetype_of(request), filename_of(request)
    if not request.can_read_body:
        error = InputError("the upload is empty; a dataset needs at least one byte")
        raise Plain(422, error.message, error)
    order = UploadOrder(
        block_size=node.profile.block_size,
        expected_bytes=request.content_length,
        filename=filename,
        mimetype=mimetype,
    )
    dataset = await node.uploads.run(_pieces(request), order)
    return reply_text(str(dataset.manifest_cid))


async def _pieces(request: web.Request) -> AsyncGenerator[bytes, None]:
    """The body in the pieces in which it arrived; the store gathers them without another copy.

    Starting to iterate is what lets a client that asked (Expect: 100-continue) begin to send, so
    that a refusal reaches it before its data leaves.
    """
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    try:
        while piece := (await request.content.readchunk())[0]:
            yield piece
    except (ConnectionError, ClientPayloadError, web.PayloadAccessError) as error:
        raise InputError(
            "the connection ended before the upload did; nothing was kept, send it again"
        ) from error


async def expect_nothing(_request: web.Request) -> None:
    """Leaves the answer to `Expect: 100-continue` to the handler."""
