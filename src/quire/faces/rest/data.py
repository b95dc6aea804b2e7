"""Datasets: list, existence, deletion, manifests, background fetches, space."""

from __future__ import annotations

import asyncio

from aiohttp import web
from msgspec import UNSET

from quire.base.errors import BlockMissing, InputError, Refused
from quire.faces.rest.inputs import cid_of, timeout_of, whole_of
from quire.faces.rest.reply import Plain, reply_empty, reply_json
from quire.faces.rest.schemas import DataList, SpaceBody, data_item
from quire.flow.delete import delete_dataset
from quire.flow.fetch import NotAManifest
from quire.formats.cid import Cid, is_block, is_manifest
from quire.node.node import Node
from quire.store.dataset import Dataset

NOT_A_MANIFEST = "Unable to decode as manifest"
PART_OF_A_DATASET = "Directly deleting a block that is part of a dataset is not allowed."
MOST_LISTED = 100_000


async def list_data(request: web.Request, node: Node) -> web.Response:
    """All datasets, oldest first; with `limit` a page of them, and where the next one begins."""
    limit = _number(request, "limit", 1, MOST_LISTED)
    after = _number(request, "cursor", 0, (1 << 63) - 1) or 0
    datasets, last = await node.store.page(after, limit)
    more = UNSET if limit is None or len(datasets) < limit else str(last)

    def encode() -> web.Response:
        return reply_json(DataList([data_item(dataset) for dataset in datasets], more))

    # Tens of thousands take long enough to make everybody else wait.
    return await asyncio.get_running_loop().run_in_executor(None, encode)


def _number(request: web.Request, name: str, low: int, high: int) -> int | None:
    text = request.query.get(name)
    return None if text is None else whole_of(text, name, low, high)


async def exists(request: web.Request, node: Node) -> web.Response:
    """Whether the manifest or block is here; says nothing about the rest of the dataset."""
    cid = cid_of(request)
    is_here = await _is_here(node, cid)
    return reply_json({str(cid): is_here, "has": is_here})


async def _is_here(node: Node, cid: Cid) -> bool:
    if is_manifest(cid):
        return await node.store.dataset(cid) is not None
    if not is_block(cid):
        return False
    try:
        await node.store.read_block(cid)
    except BlockMissing:
        return False
    return True


async def delete(request: web.Request, node: Node) -> web.Response:
    """Forget a dataset. Nothing to forget is fine too; a block goes with its datasets only."""
    cid = cid_of(request)
    if is_block(cid) and await _is_here(node, cid):
        raise Plain(409, PART_OF_A_DATASET, Refused(f"{cid} is part of a dataset; delete that"))
    await delete_dataset(cid, store=node.store, fetches=node.fetches, events=node.events)
    return reply_empty(204)


async def network_manifest(request: web.Request, node: Node) -> web.Response:
    return reply_json(data_item(await find_dataset(request, node)))


async def start_fetch(request: web.Request, node: Node) -> web.Response:
    """Get the manifest now and the blocks in the background."""
    if request.can_read_body and "Content-Type" not in request.headers:
        raise Plain(400, "", InputError("a body without Content-Type; none is needed here"))
    dataset = await find_dataset(request, node)
    node.fetches.start(dataset.manifest_cid, timeout_of(request, node))
    return reply_json(data_item(dataset))


async def find_dataset(request: web.Request, node: Node) -> Dataset:
    """The dataset of the CID in the path, asked from the network within the request's timeout."""
    try:
        return await node.fetches.manifest(cid_of(request), timeout_of(request, node))
    except NotAManifest as error:
        raise Plain(404, NOT_A_MANIFEST, error) from None


async def space(_request: web.Request, node: Node) -> web.Response:
    return reply_json(space_body(node))


def space_body(node: Node) -> SpaceBody:
    space = node.store.space()
    return SpaceBody(
        space.total_blocks,
        space.quota_max_bytes,
        space.quota_used_bytes,
        space.quota_reserved_bytes,
    )
