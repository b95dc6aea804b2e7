"""/replicas: files kept as sealed replicas at providers, and read from them.

Capabilities come in bodies, never in a path or query, and go nowhere from here.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from aiohttp import web

from quire.base.errors import BadCap, Busy, InputError
from quire.dataset.envelope.derive import repair_of
from quire.faces.rest.content import send_chunks
from quire.faces.rest.events import EventStreams
from quire.faces.rest.inputs import timeout_of
from quire.faces.rest.market_body import MarketBody, read_body
from quire.faces.rest.replica_shapes import ReplicaUpload, ReplicaUploads, found_body, upload_body
from quire.faces.rest.reply import Plain, reply_empty, reply_json
from quire.formats.cap import RepairCap, parse_cap
from quire.node.node import Node
from quire.point.values import CHUNK_BLOCKS
from quire.services.retail.uploads import REDUNDANCY, SECONDS, UploadOrder

if TYPE_CHECKING:
    from quire.node.keeping import Keeping
    from quire.services.retail.uploads import Uploads

NO_RETAIL = "this node has no hub of payment channels to pay providers through"
STREAM = "application/octet-stream"
PRIVATE = {"Cache-Control": "no-store"}
_SIZE_MAX = (1 << 63) - 1


async def put(request: web.Request, node: Node) -> web.Response:
    """Keep a dataset of ciphertext, which is here, as replicas."""
    uploads = keeping_of(node).uploads
    body = await read_body(request)
    order = UploadOrder(
        redundancy=body.uint64("redundancy", REDUNDANCY),
        seconds=body.uint64("seconds", SECONDS),
        is_autorenewed=body.truth("autorenew", True),
        budget=body.uint256("budget") if body.has("budget") else None,
        chunk_blocks=body.uint64("chunkBlocks", CHUNK_BLOCKS),
    )
    key = await uploads.put(_cap(body), order)
    return reply_json(await _shown(uploads, key), 201)


async def list_all(_request: web.Request, node: Node) -> web.Response:
    found = keeping_of(node).uploads.every()
    return reply_json(ReplicaUploads([upload_body(each, [], is_whole=False) for each in found]))


async def show(request: web.Request, node: Node) -> web.Response:
    return reply_json(await _shown(keeping_of(node).uploads, _key(request)))


async def renew(request: web.Request, node: Node) -> web.Response:
    """Keep it for `seconds` more, by default another term."""
    uploads, body = keeping_of(node).uploads, await read_body(request)
    seconds = body.uint64("seconds") if body.has("seconds") else None
    upload = await uploads.renew(_key(request), seconds)
    return reply_json(await _shown(uploads, upload.key))


async def release(request: web.Request, node: Node) -> web.Response:
    await keeping_of(node).uploads.release(_key(request))
    return reply_empty(204)


async def follow(request: web.Request, node: Node, streams: EventStreams) -> web.StreamResponse:
    """What happens to an upload and to its links, as server-sent events."""
    is_ours = keeping_of(node).uploads.concerning(_key(request))
    return await streams.stream(request, node, is_ours)


async def find(request: web.Request, node: Node) -> web.Response:
    """Who holds replicas of what a repair capability names."""
    keeping, cap = keeping_of(node), _cap(await read_body(request))
    found = await keeping.retrieval.find(cap, timeout_of(request, node))
    reply = reply_json(found_body(found, str(cap.cid)))
    reply.headers.update(PRIVATE)
    return reply


async def read(request: web.Request, node: Node) -> web.StreamResponse:
    """Bytes of the ciphertext from the holders of its replicas, verified and paid."""
    retrieval, body = keeping_of(node).retrieval, await read_body(request)
    cap, seconds = _cap(body), timeout_of(request, node)
    budget = body.uint256("budget") if body.has("budget") else None
    found = await retrieval.find(cap, seconds)
    size = found.manifest.dataset_size
    start, stop = body.uint64("start"), body.uint64("stop", size)
    if not start <= stop <= size:
        raise InputError(f"bytes {start} to {stop} are not inside the {size} of the ciphertext")
    headers = {"Content-Type": STREAM, "Content-Length": str(stop - start), **PRIVATE}
    answer = web.StreamResponse(headers=headers)
    async with (
        retrieval.reading(cap, found, budget) as file,
        aclosing(file.stream(start, stop - start)) as pieces,
    ):
        await send_chunks(request, answer, pieces)
    return answer


def keeping_of(node: Node) -> Keeping:
    """Raises Plain 503."""
    if node.retail is None or node.retail.keeping is None:
        raise Plain(503, NO_RETAIL, Busy(NO_RETAIL))
    return node.retail.keeping


def _key(request: web.Request) -> str:
    return request.match_info["uploadId"]


def _cap(body: MarketBody) -> RepairCap:
    text = body.text("cap")
    if not text:
        raise BadCap("give a repair capability in the field `cap` of the body")
    return repair_of(parse_cap(text))


async def _shown(uploads: Uploads, key: str) -> ReplicaUpload:
    return upload_body(uploads.status(key), await uploads.history(key), is_whole=True)
