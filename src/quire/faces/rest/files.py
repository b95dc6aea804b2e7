"""/files: contents that this node encrypts and decrypts, for clients that cannot do it themselves.

Capabilities come in the header `Quire-Cap` and go in the answer of a POST; they are in no path, no
query, no log line, event or error. Who does not trust the node encrypts at home (`quire put`).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from aiohttp import web

from quire.base.errors import BadCap, InputError, NotFound
from quire.dataset.envelope.derive import repair_of, verify_of
from quire.dataset.envelope.header import Header
from quire.dataset.envelope.records import BLOCK_BYTES
from quire.faces.encrypting import random_plan
from quire.faces.rest.body import pieces
from quire.faces.rest.content import Chunks, Content, send_content
from quire.faces.rest.download import DEFAULT_TYPE
from quire.faces.rest.file_shapes import FileMade
from quire.faces.rest.inputs import filename_of, is_wanted, mimetype_of, timeout_of
from quire.faces.rest.reply import Plain, reply_json
from quire.flow.decrypt import EncryptedContent
from quire.flow.encrypt import encrypted
from quire.flow.upload import UploadOrder
from quire.formats.cap import LiteralCap, ReadCap, parse_cap
from quire.formats.names import check_received_filename, is_mimetype
from quire.node.node import Node

CAP_HEADER = "Quire-Cap"
# One URL stands for every content: nobody may keep an answer for the next who asks.
PRIVATE = {"Cache-Control": "no-store", "Vary": CAP_HEADER}


async def put_file(request: web.Request, node: Node) -> web.Response:
    """Encrypt the body under a key of its own and store the ciphertext; answers with the
    capabilities, which are kept nowhere here."""
    size = request.content_length if request.can_read_body else 0
    if size is None:
        error = InputError("the length is part of what is encrypted first: send Content-Length")
        raise Plain(411, error.message, error)
    header = Header(size, filename_of(request), mimetype_of(request))
    is_padded = not is_wanted(request, "exact")
    plan = random_plan(header, is_padded=is_padded)
    order = UploadOrder(BLOCK_BYTES, plan.dataset_bytes)
    body = pieces(request, node.config.upload_idle_timeout, node.waits)
    made = encrypted(plan, lambda _start: body)
    async with aclosing(body), aclosing(made):
        dataset = await node.uploads.run(made, order)
    cap = plan.read_cap(dataset.manifest_cid)
    answer = FileMade(
        cap.text, repair_of(cap).text, verify_of(cap).text, str(cap.cid), size, plan.dataset_bytes
    )
    reply = reply_json(answer, 201)
    reply.headers.update(PRIVATE)
    return reply


async def get_file(request: web.Request, node: Node) -> web.StreamResponse:
    """The content that a read capability names, from wherever it is, decrypted here."""
    lines = request.headers.getall(CAP_HEADER, [])
    if len(lines) != 1:
        raise BadCap(f"give one read capability, in the header {CAP_HEADER}")
    cap = parse_cap(lines[0].strip())
    if isinstance(cap, LiteralCap):
        content = Content("literal", len(cap.content), DEFAULT_TYPE, None, _literal(cap))
        return await send_content(request, content, PRIVATE)
    if not isinstance(cap, ReadCap):
        raise BadCap("a repair or verify capability does not read; give the read capability")
    return await send_content(request, await _content_of(request, node, cap), PRIVATE)


async def _content_of(request: web.Request, node: Node, cap: ReadCap) -> Content:
    size, ciphertext = await _ciphertext_of(node, cap, timeout_of(request, node))
    opened = await EncryptedContent.open(cap, size, ciphertext)

    async def read(start: int, length: int) -> AsyncGenerator[memoryview, None]:
        async with aclosing(opened.read(start, start + length, ciphertext)) as plain:
            async for piece in plain:
                yield memoryview(piece)

    name, media_type = opened.header.name, opened.header.media_type or DEFAULT_TYPE
    return Content(
        cid=str(cap.cid),
        size=opened.size,
        media_type=media_type if is_mimetype(media_type) else DEFAULT_TYPE,
        filename=name if _is_fit(name) else None,
        read=read,
    )


async def _ciphertext_of(
    node: Node, cap: ReadCap, idle: float
) -> tuple[int, Callable[[int, int], Chunks]]:
    """The length of the ciphertext and how it is read: from here, from the holders of its replicas,
    or else from whoever has the dataset."""
    keeping = None if node.retail is None else node.retail.keeping
    if keeping is not None and await node.store.dataset(cap.cid) is None:
        repair = repair_of(cap)
        with contextlib.suppress(NotFound):
            found = await keeping.retrieval.find(repair, idle)

            def replicas(start: int, stop: int) -> Chunks:
                return keeping.retrieval.stream(repair, start, stop - start, seconds=idle)

            return found.manifest.dataset_size, replicas
    dataset = await node.fetches.manifest(cap.cid, idle)
    await node.fetches.keep(dataset)

    def blocks(start: int, stop: int) -> Chunks:
        length = stop - start
        return node.downloads.read(dataset, offset=start, length=length, idle_seconds=idle)

    return dataset.manifest.original_size, blocks


def _is_fit(name: str | None) -> bool:
    """Whether a name that somebody encrypted may be told to a browser."""
    try:
        check_received_filename(name or "")
    except InputError:
        return False
    return True


def _literal(cap: LiteralCap) -> Callable[[int, int], Chunks]:
    async def read(start: int, length: int) -> Chunks:
        yield memoryview(cap.content)[start : start + length]

    return read
