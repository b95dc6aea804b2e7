"""Directories: one path of them, their listing, a tar stream, and blocks with their proof."""

from __future__ import annotations

import mimetypes
from contextlib import aclosing

from aiohttp import web

from quire.base.errors import BadEncoding, InputError
from quire.base.units import MIB
from quire.faces.rest.accept import preferred_type
from quire.faces.rest.content import FOREVER, Chunks, Content, send_chunks, send_content
from quire.faces.rest.data import find_dataset
from quire.faces.rest.directory_page import listing_page
from quire.faces.rest.directory_shapes import ListBody, entry_body, listed_body
from quire.faces.rest.disposition import disposition
from quire.faces.rest.download import DEFAULT_TYPE
from quire.faces.rest.inputs import cid_of, timeout_of
from quire.faces.rest.reply import ERROR_HEADERS, HTML, reply_json
from quire.flow.directory import Directory, NotADirectory, is_directory
from quire.flow.directory_build import reader_of
from quire.flow.directory_tar import tar_of_directory, tar_size
from quire.formats.cid import is_block
from quire.formats.directory import DIRECTORY, FILE, Entry
from quire.formats.directory_listed import Listing, decode_in_block, decode_in_manifest
from quire.node.node import Node
from quire.store.dataset import Dataset
from quire.store.proved import read_proved

TAR = "application/x-tar"
ENTRIES_DEFAULT = 1000
ENTRIES_MAX = 10_000
PROVED_BYTES_MAX = 8 * MIB
PROOF_BYTES_HEADER = "Quire-Proof-Bytes"


async def path_of_directory(request: web.Request, node: Node) -> web.StreamResponse:
    """A file's bytes; of a directory a listing, or a tar stream when asked for; of a link what it
    is."""
    dataset, directory = await _open(request, node)
    path = request.match_info["path"].strip("/")
    entry = await directory.find(path)
    if _wants_tar(request):
        return await _send_tar(request, node, dataset, directory, entry)
    if entry.kind == FILE:
        return await _send_file(request, node, dataset, entry)
    if entry.kind != DIRECTORY:
        return reply_json(entry_body(entry))
    if preferred_type(request.headers.get("Accept", "")) != HTML:
        return await _listing(request, dataset, directory, path)
    entries, after = await _level(request, directory, path)
    base = request.path.removesuffix("/").removesuffix(path).rstrip("/")
    return listing_page(base, path, entries, after, {"Cache-Control": FOREVER, "Vary": "Accept"})


async def list_directory(request: web.Request, node: Node) -> web.Response:
    """A part of a listing: one level, or with `recursive` everything below."""
    foreign = await _foreign(request, node)
    if foreign is not None:
        return foreign
    dataset, directory = await _open(request, node)
    path = request.query.get("path", "").strip("/")
    entry = await directory.find(path)
    if entry.kind != DIRECTORY:
        body = [entry_body(entry)]
        return reply_json(ListBody(str(dataset.manifest_cid), path, body, None, None, None))
    return await _listing(request, dataset, directory, path)


async def proved_blocks(request: web.Request, node: Node) -> web.Response:
    """Whole blocks [start, start + count) behind the proof that they stand in the tree there."""
    dataset = await find_dataset(request, node)
    start, count = _number(request, "start", 0), _number(request, "count", 1)
    block_size = dataset.manifest.block_size
    if not 0 < count * block_size <= max(PROVED_BYTES_MAX, block_size):
        raise InputError(f"{count} blocks are not between 1 and {PROVED_BYTES_MAX // block_size}")
    if start + count > dataset.block_count:
        raise InputError(f"the dataset has {dataset.block_count} blocks, not {start + count}")
    deadline = node.clock.monotonic() + timeout_of(request, node)
    await node.exchange.ensure(dataset, start, count, deadline)
    data, proof = await read_proved(node.store, dataset.tree_root, start, count)
    headers = {PROOF_BYTES_HEADER: str(len(proof)), "Content-Type": DEFAULT_TYPE}
    return web.Response(body=proof + data, headers=headers | {"Cache-Control": FOREVER})


async def _open(request: web.Request, node: Node) -> tuple[Dataset, Directory]:
    dataset = await find_dataset(request, node)
    if not is_directory(dataset.manifest):
        raise NotADirectory(f"{dataset.manifest_cid} is not a directory")
    await node.fetches.keep(dataset)
    read = reader_of(node.downloads, dataset, timeout_of(request, node))
    try:
        return dataset, await Directory.open(dataset.manifest.original_size, read)
    except BadEncoding as error:
        raise NotADirectory(
            f"{dataset.manifest_cid} calls itself a directory and is none: {error.message}"
        ) from None


async def _foreign(request: web.Request, node: Node) -> web.Response | None:
    """The listing of a directory in the manner of Archivist; None when it is none."""
    cid = cid_of(request)
    try:
        if is_block(cid):
            deadline = node.clock.monotonic() + timeout_of(request, node)
            data = await node.exchange.fetch_block(cid, deadline)
            found: Listing | None = decode_in_block(data)
        else:
            found = decode_in_manifest((await find_dataset(request, node)).manifest_bytes)
    except BadEncoding as error:
        raise NotADirectory(f"{cid} is not a directory: {error.message}") from None
    if found is None:
        return None
    entries = [listed_body(each) for each in found.entries]
    return reply_json(ListBody(str(cid), "", entries, None, len(entries), found.total_bytes))


async def _listing(
    request: web.Request, dataset: Dataset, directory: Directory, path: str
) -> web.Response:
    entries, after = await _level(request, directory, path)
    footer = directory.footer
    body = ListBody(
        str(dataset.manifest_cid),
        path,
        [entry_body(entry) for entry in entries],
        after,
        footer.entry_count,
        footer.content_bytes,
    )
    answer = reply_json(body)
    answer.headers.update({"Cache-Control": FOREVER, "Vary": "Accept"})
    return answer


async def _level(
    request: web.Request, directory: Directory, path: str
) -> tuple[list[Entry], str | None]:
    """Entries of a directory, and after which the next part begins."""
    limit, after = _number(request, "limit", ENTRIES_DEFAULT), request.query.get("after", "")
    if not 0 < limit <= ENTRIES_MAX:
        raise InputError(f"limit={limit} is not between 1 and {ENTRIES_MAX}")
    if request.query.get("recursive") not in ("1", "true"):
        found = await directory.children(path, after=after, limit=limit + 1)
        return found[:limit], found[limit - 1].name if len(found) > limit else None
    found = []
    async with aclosing(directory.walk(path, after=after)) as walk:
        async for entry in walk:
            if entry.path != path:
                found.append(entry)
            if len(found) > limit:
                break
    return found[:limit], found[limit - 1].path if len(found) > limit else None


async def _send_file(
    request: web.Request, node: Node, dataset: Dataset, entry: Entry
) -> web.StreamResponse:
    """As a download of a dataset, with the file's own hash as its tag."""
    idle_seconds = timeout_of(request, node)

    def read(start: int, length: int) -> Chunks:
        offset = entry.offset + start
        return node.downloads.read(dataset, offset=offset, length=length, idle_seconds=idle_seconds)

    mimetype = entry.text or mimetypes.guess_type(entry.name)[0] or DEFAULT_TYPE
    content = Content(entry.digest.hex() or "empty", entry.size, mimetype, entry.name, read)
    return await send_content(request, content, ERROR_HEADERS)


async def _send_tar(
    request: web.Request, node: Node, dataset: Dataset, directory: Directory, entry: Entry
) -> web.StreamResponse:
    size, end = await tar_size(directory, entry.path)
    name = entry.name or (dataset.manifest.filename or "directory").removesuffix(".tar")
    headers = {
        "Content-Type": TAR,
        "Content-Disposition": disposition(name + ".tar"),
        "Content-Length": str(size),
        "Cache-Control": FOREVER,
        "Vary": "Accept",
    }
    answer = web.StreamResponse(headers=headers)
    if request.method == "HEAD":
        await answer.prepare(request)
        return answer
    idle = timeout_of(request, node)
    chunks = tar_of_directory(directory, entry.path, end, node.downloads, dataset, idle)
    async with aclosing(chunks):
        await send_chunks(request, answer, chunks)
    return answer


def _wants_tar(request: web.Request) -> bool:
    wanted = request.query.get("format")
    if wanted not in (None, "tar", "json"):
        raise InputError(f"format={wanted} is not known; formats are tar and json")
    if wanted is not None:
        return wanted == "tar"
    return preferred_type(request.headers.get("Accept", "")) in (TAR, "application/tar")


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InputError(f"{name}={text[:40]} is not a number")
    return int(text)
