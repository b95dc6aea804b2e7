"""Slots that this node computes anew from the others."""

from __future__ import annotations

from aiohttp import web

from quire.base.errors import NotFound
from quire.faces.rest.inputs import cid_of, timeout_of, until_of, whole_of
from quire.faces.rest.rebuild_shapes import rebuild_status
from quire.faces.rest.reply import reply_empty, reply_json
from quire.flow.rebuild_job import RebuildJob
from quire.formats.manifest import MAX_SLOTS
from quire.node.node import Node


async def start(request: web.Request, node: Node) -> web.Response:
    """Rebuild a slot in the background, with others in the same pass if asked for."""
    others = request.query.get("with", "").split(",")
    slots = [whole_of(text, "with", 0, MAX_SLOTS - 1) for text in others if text]
    slots.append(_slot_of(request))
    job = await node.parts.rebuilds.start(
        cid_of(request), slots, timeout_of(request, node), until=until_of(request, node)
    )
    return _reply(job, node, 202)


async def progress(request: web.Request, node: Node) -> web.Response:
    """The newest job that rebuilds the slot."""
    return _reply(_job_of(request, node), node, 200)


async def cancel(request: web.Request, node: Node) -> web.Response:
    """Stop the job; what it has computed is kept for a day, and used when it is asked for again."""
    await node.parts.rebuilds.cancel(_job_of(request, node))
    return reply_empty(204)


def _reply(job: RebuildJob, node: Node, status: int) -> web.Response:
    return reply_json(rebuild_status(job, node.clock.monotonic()), status)


def _job_of(request: web.Request, node: Node) -> RebuildJob:
    cid, slot = cid_of(request), _slot_of(request)
    job = node.parts.rebuilds.of(cid, slot)
    if job is None:
        raise NotFound(
            f"nobody asked this node to rebuild slot {slot} of {cid}; POST starts it", cid=str(cid)
        )
    return job


def _slot_of(request: web.Request) -> int:
    return whole_of(request.match_info["slot"], "slot", 0, MAX_SLOTS - 1)
