"""Pins, names, times to live, collection, and where the bytes are."""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import web

from quire.base.errors import InputError, UnknownDataset
from quire.base.units import format_size
from quire.faces.rest.inputs import cid_of, until_of
from quire.faces.rest.reply import reply_json
from quire.faces.rest.retention_shapes import (
    CollectionBody,
    DoomedBody,
    NameBody,
    NameList,
    NameTarget,
    roots_body,
    usage_body,
)
from quire.faces.rest.schemas import StatList, dataset_stat
from quire.formats.cid import Cid, is_manifest
from quire.node.kept import kept_in_words
from quire.node.node import Node
from quire.store.usage import Doomed, Usage

LISTED_MAX = 1000  # datasets that one answer lists
BODY_BYTES_MAX = 4096
_TROUBLES = (  # what fills a disk besides datasets: field, words
    ("unfinished_bytes", "are of uploads that have not ended"),
    ("deleted_bytes", "are of deleted datasets, and are being given back or still being read"),
    ("freed_bytes", "are free as soon as the disk has taken them back"),
    ("shared_bytes", "are blocks that several datasets share; they are stored once"),
)


async def list_datasets(_request: web.Request, node: Node) -> web.Response:
    """All datasets, with what is here of them and until when they are kept."""
    datasets = await node.store.datasets()

    def encode() -> web.Response:
        return reply_json(StatList([dataset_stat(dataset) for dataset in datasets]))

    # Tens of thousands take long enough to make everybody else wait.
    return await asyncio.get_running_loop().run_in_executor(None, encode)


async def roots(request: web.Request, node: Node) -> web.Response:
    """Why a dataset is kept, until when, and what happens then."""
    cid = cid_of(request)
    dataset = await node.store.dataset(cid) if is_manifest(cid) else None
    if dataset is None:
        raise UnknownDataset(f"{cid} is not on this node; fetch it first", cid=str(cid))
    return reply_json(roots_body(dataset, node))


async def pin(request: web.Request, node: Node) -> web.Response:
    """Keep a dataset for ever, or for `?for=`."""
    until = until_of(request, node)
    return reply_json(roots_body(await node.store.retention.pin(cid_of(request), until), node))


async def unpin(request: web.Request, node: Node) -> web.Response:
    return reply_json(roots_body(await node.store.retention.unpin(cid_of(request)), node))


async def limit(request: web.Request, node: Node) -> web.Response:
    """Give a dataset a time to live from now on; 0 is for ever."""
    if "for" not in request.query:
        raise InputError("how long? give ?for=30d, or ?for=0 for ever")
    until = until_of(request, node)
    return reply_json(roots_body(await node.store.retention.limit(cid_of(request), until), node))


async def list_names(_request: web.Request, node: Node) -> web.Response:
    found = await node.store.retention.names()
    return reply_json(NameList([NameBody(each.name, str(each.manifest_cid)) for each in found]))


async def get_name(request: web.Request, node: Node) -> web.Response:
    name = request.match_info["name"]
    return reply_json(NameBody(name, str(await node.store.retention.named(name))))


async def put_name(request: web.Request, node: Node) -> web.Response:
    """Let a name name another dataset, in one step."""
    name, cid = request.match_info["name"], await _target(request)
    was = await node.store.retention.name(name, cid)
    return reply_json(NameBody(name, str(cid), None if was is None else str(was)))


async def delete_name(request: web.Request, node: Node) -> web.Response:
    name = request.match_info["name"]
    return reply_json(NameBody(name, str(await node.store.retention.unname(name))))


async def preview_collection(_request: web.Request, node: Node) -> web.Response:
    """What the next collection would delete, and why."""
    return reply_json(_collection(await node.store.doomed(LISTED_MAX), node, 0))


async def collect(_request: web.Request, node: Node) -> web.Response:
    """Delete now what nothing keeps."""
    found = await node.store.doomed(LISTED_MAX)
    return reply_json(_collection(found, node, await node.maintenance.collect()))


async def usage(_request: web.Request, node: Node) -> web.Response:
    """Why the disk is as full as it is."""
    found = await node.store.usage()
    return reply_json(usage_body(found, node, _usage_in_words(found, node)))


def _collection(found: Doomed, node: Node, deleted: int) -> CollectionBody:
    now, next_at = node.clock.now(), node.maintenance.next_at
    datasets = [
        DoomedBody(
            cid=str(dataset.manifest_cid),
            filename=dataset.manifest.filename,
            size=dataset.manifest.dataset_size,
            ended_at=dataset.kept_until or 0.0,
            words=kept_in_words(dataset, now, next_at),
        )
        for dataset in found.datasets
    ]
    return CollectionBody(
        datasets=datasets,
        freed_bytes=found.freed_bytes,
        exact=found.is_exact,
        more=len(found.datasets) + len(found.held) == LISTED_MAX,
        held=[str(dataset.manifest_cid) for dataset in found.held],
        next_at=next_at,
        deleted=deleted,
    )


def _usage_in_words(found: Usage, node: Node) -> list[str]:
    space = node.store.space()
    free = max(0, space.quota_max_bytes - space.quota_used_bytes - space.quota_reserved_bytes)
    quota, disk = format_size(space.quota_max_bytes), format_size(found.free_bytes)
    lines = [f"{format_size(free)} of the quota of {quota} are free, {disk} on the disk"]
    if space.quota_reserved_bytes:
        size = format_size(space.quota_reserved_bytes)
        lines.append(f"{size} are promised to uploads and fetches under way")
    lines += [
        f"{format_size(getattr(found, name))} {words}"
        for name, words in _TROUBLES
        if getattr(found, name)
    ]
    return lines


async def _target(request: web.Request) -> Cid:
    """The CID in a body such as {"cid": "zDv..."}. Raises InputError, BadCid."""
    return decode_target(await request.content.read(BODY_BYTES_MAX))


def decode_target(body: bytes) -> Cid:
    """Raises InputError, BadCid."""
    try:
        return Cid.parse(msgspec.json.decode(body, type=NameTarget).cid)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f'the body is not {{"cid": "zDv..."}}: {error}') from None
