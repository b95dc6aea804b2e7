"""POST /directories: a directory made of datasets, or of a tar stream."""

from __future__ import annotations

from contextlib import aclosing

import msgspec
from aiohttp import web

from quire.base.errors import InputError, TooLarge
from quire.base.units import MIB
from quire.faces.rest.body import pieces
from quire.faces.rest.directory import TAR
from quire.faces.rest.directory_shapes import (
    DirectoryMade,
    DirectoryOrder,
    EntryOrder,
    decode_order,
)
from quire.faces.rest.inputs import filename_of, timeout_of
from quire.faces.rest.reply import JSON, reply_json
from quire.flow.directory import Directory
from quire.flow.directory_build import DirectoryBuilder, reader_of
from quire.flow.directory_tar import directory_of_tar
from quire.flow.upload import UploadOrder
from quire.formats.cid import Cid
from quire.formats.directory import (
    DIRECTORY,
    FILE,
    MAX_MODE,
    MEDIA_TYPE,
    SYMLINK,
    Entry,
    check_entry,
)
from quire.formats.names import check_filename
from quire.node.node import Node
from quire.store.dataset import Dataset

ORDER_BYTES_MAX = 256 * MIB  # about a million entries


async def make_directory(request: web.Request, node: Node) -> web.Response:
    """Answers with the CID once the directory is durable."""
    if request.content_type in (TAR, "application/tar"):
        dataset = await _of_tar(request, node)
    elif request.content_type == JSON:
        dataset = await _of_datasets(request, node)
    else:
        raise InputError(f"send a tar stream as {TAR}, or a list of entries as {JSON}")
    directory = await Directory.open(
        dataset.manifest.original_size,
        reader_of(node.downloads, dataset, timeout_of(request, node)),
    )
    footer = directory.footer
    made = DirectoryMade(str(dataset.manifest_cid), footer.entry_count, footer.content_bytes)
    return reply_json(made, 201)


async def _of_tar(request: web.Request, node: Node) -> Dataset:
    order = UploadOrder(node.profile.block_size, None, filename_of(request), MEDIA_TYPE)
    idle_seconds = node.config.upload_idle_timeout
    async with (
        aclosing(pieces(request, idle_seconds, node.waits)) as body,
        aclosing(directory_of_tar(body)) as directory,
    ):
        return await node.uploads.run(directory, order)


async def _of_datasets(request: web.Request, node: Node) -> Dataset:
    order = await _order(request, node)
    if order.name is not None:
        check_filename(order.name)
    builder = DirectoryBuilder(node.uploads, node.downloads, node.fetches)
    wanted = [_wanted(entry) for entry in order.entries]
    sources = await builder.sources(wanted, timeout_of(request, node))
    sizes = {_plain(entry.path): entry.size for entry in order.entries}
    for source in sources:
        said = sizes[source.entry.path]
        if said is not None and source.dataset is not None and said != source.entry.size:
            raise InputError(f"{source.entry.path!r} has {source.entry.size} bytes, not {said}")
    return await builder.build(
        sources,
        block_size=node.profile.block_size,
        filename=order.name,
        idle_seconds=timeout_of(request, node),
    )


async def _order(request: web.Request, node: Node) -> DirectoryOrder:
    body = bytearray()
    async with aclosing(pieces(request, node.config.upload_idle_timeout, node.waits)) as found:
        async for piece in found:
            body += piece
            if len(body) > ORDER_BYTES_MAX:
                raise TooLarge(f"a list of entries above {ORDER_BYTES_MAX} bytes is refused")
    try:
        return decode_order(bytes(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"the list of entries cannot be read: {error}") from None


def _wanted(order: EntryOrder) -> tuple[Entry, Cid | None]:
    """The entry, whose size is not known yet. Raises `InputError`."""
    path = _plain(order.path)
    if order.cid is not None and order.target is not None:
        raise InputError(f"{path!r} has both a cid and a target")
    kind = FILE if order.cid is not None else DIRECTORY if order.target is None else SYMLINK
    text = (order.mimetype if kind == FILE else order.target if kind == SYMLINK else "") or ""
    if order.mode is not None and not 0 <= order.mode <= MAX_MODE:
        raise InputError(f"{path!r}: mode {order.mode} is not between 0 and {MAX_MODE}")
    if order.mtime_ns is not None and not -(1 << 63) <= order.mtime_ns < 1 << 63:
        raise InputError(f"{path!r}: mtimeNs {order.mtime_ns} cannot be")
    entry = Entry(path, kind, order.mode, order.mtime_ns, text=text)
    check_entry(entry)
    return entry, None if order.cid is None else Cid.parse(order.cid)


def _plain(path: str) -> str:
    """As the line of Archivist takes paths: either slash, leading ones cut off."""
    return path.replace("\\", "/").strip("/")
