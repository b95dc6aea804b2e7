"""/uploads: resumable uploads by tus 1.0, so that every client of that protocol can send to us.

Extensions: creation, creation-with-upload, creation-defer-length, expiration, checksum,
termination. The answer that completes an upload carries the manifest CID in `Quire-Cid`.
Source   https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from email.utils import formatdate
from functools import wraps
from typing import TypeAlias

from aiohttp import web

from quire.base.errors import InputError, QuireError
from quire.faces.rest.body import pieces
from quire.faces.rest.inputs import block_size_of
from quire.faces.rest.reply import Plain, reply_json
from quire.faces.rest.route import QUIRE_BASE
from quire.faces.rest.schemas import UploadList, UploadState
from quire.flow.part import OffsetMismatch, Part, UploadPlan
from quire.flow.resume import COMPLETE, READY, cid_text
from quire.formats.names import check_filename, check_mimetype
from quire.formats.tus import ALGORITHMS, Checksum, decode_checksum, decode_metadata, decode_size
from quire.node.node import Node
from quire.store.unfinished import UploadRow

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination"
MEDIA_TYPE = "application/offset+octet-stream"
KEPT = "what came before is kept; ask how far the upload is and go on from there"
ALWAYS = {"Tus-Resumable": VERSION, "Cache-Control": "no-store"}

Handler: TypeAlias = Callable[[web.Request, Node], Awaitable[web.StreamResponse]]


def options(node: Node) -> dict[str, str]:
    """What OPTIONS tells on the paths of uploads."""
    return ALWAYS | {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(node.resumable.max_bytes(node.profile.block_size)),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }


def _tus(handler: Handler) -> Handler:
    """Refuse other versions of the protocol, and let every failure carry its headers."""

    @wraps(handler)
    async def checked(request: web.Request, node: Node) -> web.StreamResponse:
        try:
            if request.headers.get("Tus-Resumable") != VERSION:
                error = InputError(f"send the header Tus-Resumable: {VERSION}")
                raise Plain(412, error.message, error)
            return await handler(request, node)
        except QuireError as error:
            plain = Plain(error.http, error.message, error)
            if isinstance(error, OffsetMismatch):
                plain.headers["Upload-Offset"] = str(error.facts["offset"])
            plain.headers |= ALWAYS
            raise plain from None
        except Plain as plain:
            plain.headers |= ALWAYS | {"Tus-Version": VERSION}
            raise

    return checked


@_tus
async def create(request: web.Request, node: Node) -> web.StreamResponse:
    """Begin an upload; bytes may come along."""
    has_body = request.can_read_body
    if has_body:
        _check_media_type(request)
    plan = _plan(request, node)
    part = Part(0, None, request.content_length if has_body else 0, _checksum(request))
    if has_body and plan.length is not None and (part.size or 0) > plan.length:
        error = InputError("the body is longer than Upload-Length")
        raise Plain(413, error.message, error)
    row = await node.resumable.create(plan)
    if has_body:
        try:
            row = await _append(request, node, row.id, part)
        except BaseException:
            # The client never learns where the upload is.
            await node.resumable.remove(row.id)
            raise
    headers = {"Location": f"{QUIRE_BASE}/uploads/{row.id}"}
    if has_body:
        headers["Upload-Offset"] = str(row.position)
    return _answer(201, row, headers)


@_tus
async def act(request: web.Request, node: Node) -> web.StreamResponse:
    """HEAD, PATCH and DELETE of one upload; X-HTTP-Method-Override stands above the method."""
    method = request.headers.get("X-HTTP-Method-Override", request.method).upper()
    upload_id = request.match_info["uploadId"]
    if method == "HEAD":
        return _described(await node.resumable.state(upload_id))
    if method == "DELETE":
        await node.resumable.remove(upload_id)
        return web.Response(status=204, headers=ALWAYS)
    if method == "PATCH":
        return await _patch(request, node, upload_id)
    error = InputError(f"{method[:20]!r} is not to be used on an upload; use HEAD, PATCH, DELETE")
    raise Plain(405, error.message, error)


async def show(request: web.Request, node: Node) -> web.Response:
    """One upload as JSON. Unlike HEAD it does not end a request that sends to it."""
    upload_id = request.match_info["uploadId"]
    for found in await node.resumable.every():
        if found[0].id == upload_id:
            return reply_json(_state(*found))
    row = await node.resumable.state(upload_id)
    return reply_json(_state(row, COMPLETE if row.is_complete else READY, row.position))


async def list_uploads(_request: web.Request, node: Node) -> web.Response:
    return reply_json(UploadList([_state(*found) for found in await node.resumable.every()]))


async def _patch(request: web.Request, node: Node, upload_id: str) -> web.StreamResponse:
    _check_media_type(request)
    if "Upload-Offset" not in request.headers:
        raise InputError("the header Upload-Offset is missing; it says where these bytes belong")
    offset = decode_size(request.headers["Upload-Offset"], "Upload-Offset")
    length = request.headers.get("Upload-Length")
    part = Part(
        offset,
        None if length is None else decode_size(length, "Upload-Length"),
        request.content_length if request.can_read_body else 0,
        _checksum(request),
    )
    row = await _append(request, node, upload_id, part)
    return _answer(204, row, {"Upload-Offset": str(row.position)})


async def _append(request: web.Request, node: Node, upload_id: str, part: Part) -> UploadRow:
    if not request.can_read_body:
        return await node.resumable.append(upload_id, part, None)
    idle_seconds = node.config.upload_idle_timeout
    async with aclosing(pieces(request, idle_seconds, node.waits, KEPT)) as body:
        return await node.resumable.append(upload_id, part, body)


def _plan(request: web.Request, node: Node) -> UploadPlan:
    headers = request.headers
    if "Upload-Concat" in headers:
        raise InputError("uploads cannot be put together from parts here; send one upload")
    length, defer = headers.get("Upload-Length"), headers.get("Upload-Defer-Length")
    if (length is None) == (defer is None):
        raise InputError("send either Upload-Length, or Upload-Defer-Length: 1")
    if defer is not None and defer != "1":
        raise InputError(f"Upload-Defer-Length is {defer[:40]!r}; it can only be 1")
    metadata = headers.get("Upload-Metadata", "")
    pairs = decode_metadata(metadata)
    try:
        filename = _text(pairs, "filename", "name")
        mimetype = _text(pairs, "filetype", "type")
        if filename is not None:
            check_filename(filename)
        if mimetype is not None:
            mimetype = check_mimetype(mimetype)
    except (InputError, UnicodeDecodeError) as problem:
        cause = problem if isinstance(problem, InputError) else InputError("it is not UTF-8")
        raise Plain(422, f"Upload-Metadata: {cause}", cause) from None
    return UploadPlan(
        block_size=block_size_of(request, node),
        length=None if length is None else decode_size(length, "Upload-Length"),
        filename=filename,
        mimetype=mimetype,
        headers=metadata,
    )


def _text(pairs: dict[str, bytes], *keys: str) -> str | None:
    """The first of these values that is there and not empty."""
    return next((pairs[key].decode() for key in keys if pairs.get(key)), None)


def _checksum(request: web.Request) -> Checksum | None:
    text = request.headers.get("Upload-Checksum")
    return None if text is None else decode_checksum(text)


def _check_media_type(request: web.Request) -> None:
    if request.headers.get("Content-Type") != MEDIA_TYPE:
        error = InputError(f"bytes of an upload are sent with Content-Type: {MEDIA_TYPE}")
        raise Plain(415, error.message, error)


def _described(row: UploadRow) -> web.Response:
    headers = {"Upload-Offset": str(row.position)}
    if row.length is None:
        headers["Upload-Defer-Length"] = "1"
    else:
        headers["Upload-Length"] = str(row.length)
    if row.headers:
        headers["Upload-Metadata"] = row.headers
    return _answer(200, row, headers)


def _answer(status: int, row: UploadRow, headers: dict[str, str]) -> web.Response:
    headers = ALWAYS | headers | {"Upload-Expires": formatdate(row.expires_at, usegmt=True)}
    cid = cid_text(row)
    if cid is not None:
        headers["Quire-Cid"] = cid
    return web.Response(status=status, headers=headers)


def _state(row: UploadRow, state: str, received_bytes: int) -> UploadState:
    return UploadState(
        id=row.id,
        url=f"{QUIRE_BASE}/uploads/{row.id}",
        state=state,
        received_bytes=received_bytes,
        durable_bytes=row.position,
        length=row.length,
        filename=row.filename,
        mimetype=row.mimetype,
        created_at=row.created_at,
        expires_at=row.expires_at,
        cid=cid_text(row),
    )
