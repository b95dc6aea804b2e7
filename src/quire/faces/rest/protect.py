"""Datasets that prove themselves: protecting one, and the slots of one that is protected."""

from __future__ import annotations

from aiohttp import web

from quire.base.errors import InputError, NotFound, UnknownDataset
from quire.base.ranges import RangeSet
from quire.dataset.geometry import MAX_SLOTS_PROVABLE
from quire.faces.rest.inputs import cid_of, until_of, whole_of
from quire.faces.rest.protect_shapes import ProtectList, protect_status, slots_body
from quire.faces.rest.reply import reply_empty, reply_json
from quire.flow.protect_job import ProtectJob
from quire.node.node import Node
from quire.store.dataset import RetentionRoot


class NotVerifiable(InputError):
    """The dataset has no slots."""

    code, http = "not-verifiable", 422
    hint = "quire protect CID -k 4 -m 2 makes a dataset with slots of it"


async def start(request: web.Request, node: Node) -> web.Response:
    """Protect a dataset in the background; joins the job that does so already."""
    k, m = _number(request, "k"), _number(request, "m")
    if k is None or m is None:
        raise InputError("how many rows? give ?k=4&m=2 for 4 data and 2 parity rows")
    keep = RetentionRoot("lease", "", until_of(request, node)) if "for" in request.query else None
    job = await node.protections.start(cid_of(request), k, m, keep=keep)
    return reply_json(protect_status(job), 202)


async def progress(request: web.Request, node: Node) -> web.Response:
    """The jobs for a dataset, oldest first, or only those with `?k=` and `?m=`."""
    jobs = await _jobs(request, node)
    return reply_json(ProtectList([protect_status(job) for job in jobs]))


async def cancel(request: web.Request, node: Node) -> web.Response:
    """Stop the jobs for a dataset; what is complete stays."""
    for job in await _jobs(request, node):
        await node.protections.cancel(job.cid, job.k, job.m)
    return reply_empty(204)


async def slots(request: web.Request, node: Node) -> web.Response:
    """The slots of a verifiable dataset, and what of each is here; does not ask the network."""
    cid = cid_of(request)
    dataset = await node.store.dataset(cid)
    if dataset is None:
        raise UnknownDataset(f"{cid} is not on this node; fetch it first", cid=str(cid))
    if not dataset.manifest.is_verifiable:
        raise NotVerifiable(f"{cid} has no slots: it is not protected and verifiable")
    root = dataset.tree_root
    held = await node.parts.slot_files.held(root)
    state = node.store.tree(root)
    present = RangeSet() if state is None else state.present
    return reply_json(slots_body(dataset, present, frozenset(slot for _, slot in held)))


async def _jobs(request: web.Request, node: Node) -> list[ProtectJob]:
    cid = cid_of(request)
    k, m = _number(request, "k"), _number(request, "m")
    jobs = [
        job
        for job in await node.protections.of(cid)
        if (k is None or job.k == k) and (m is None or job.m == m)
    ]
    if not jobs:
        raise NotFound(f"nobody asked this node to protect {cid}; POST starts it", cid=str(cid))
    return jobs


def _number(request: web.Request, name: str) -> int | None:
    """Rows, as the query has them; what they may be for a dataset is said later."""
    text = request.query.get(name)
    return None if text is None else whole_of(text, name, 0, 2 * MAX_SLOTS_PROVABLE)
