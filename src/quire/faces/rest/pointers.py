"""/pointers: signed, encrypted values under a locator, such as where a user's catalogue is."""

from __future__ import annotations

import re

from aiohttp import web

from quire.base.errors import (
    BadEncoding,
    EnvironmentProblem,
    InputError,
    NotFound,
    Refused,
    TooLarge,
)
from quire.dataset.envelope.signed_blob import BLOB_BYTES_MAX, LOCATOR_BYTES, decode_blob
from quire.faces.rest.body import pieces
from quire.faces.rest.download import DEFAULT_TYPE
from quire.faces.rest.inputs import timeout_of
from quire.faces.rest.pointer_shapes import PointerPut
from quire.faces.rest.reply import reply_json
from quire.node.node import Node
from quire.node.pointing import Pointing

_LOCATOR = re.compile(rf"[0-9a-fA-F]{{{2 * LOCATOR_BYTES}}}")


async def put_pointer(request: web.Request, node: Node) -> web.Response:
    """Keep a value here, announce it, and offer it to connected peers."""
    held = bytearray()
    async for piece in pieces(request, node.config.upload_idle_timeout, node.waits):
        held += piece
        if len(held) > BLOB_BYTES_MAX:
            raise TooLarge(f"a signed value has at most {BLOB_BYTES_MAX} bytes")
    blob = decode_blob(held)
    locator = blob.locator
    if locator is None:
        raise BadEncoding("the value is not signed by the key that it names")
    exchange = _pointing(node).exchange
    published = await exchange.publish(blob)
    if published is None:
        known = _pointing(node).pointers.get(locator)
        version = "none, and there is no room" if known is None else f"version {known.version}"
        raise Refused(
            f"version {blob.version} of the value is not kept: this node has {version}; "
            "read that first"
        )
    return reply_json(PointerPut(locator.hex(), blob.version, published.kept, published.asked))


async def get_pointer(request: web.Request, node: Node) -> web.Response:
    """The value with the highest version that is known here or found within the timeout."""
    text = request.match_info["locator"]
    if _LOCATOR.fullmatch(text) is None:
        raise InputError(f"a locator has {2 * LOCATOR_BYTES} hexadecimal digits")
    seconds = timeout_of(request, node)
    found = await _pointing(node).exchange.find(bytes.fromhex(text), seconds)
    if found is None:
        raise NotFound("no node that was asked keeps a value under this locator")
    headers = {"Content-Type": DEFAULT_TYPE, "Cache-Control": "no-store"}
    return web.Response(body=found.encode(), headers=headers)


def _pointing(node: Node) -> Pointing:
    if node.pointing is None:
        raise EnvironmentProblem("this node keeps no signed values")
    return node.pointing
