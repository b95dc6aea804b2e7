"""Slots that this node takes, holds and gives up."""

from __future__ import annotations

from aiohttp import web

from quire.base.errors import NotFound
from quire.faces.rest.inputs import cid_of, timeout_of, until_of, whole_of
from quire.faces.rest.reply import reply_empty, reply_json
from quire.faces.rest.slot_shapes import slot_status
from quire.formats.cid import Cid
from quire.formats.manifest import MAX_SLOTS
from quire.node.node import Node


async def take(request: web.Request, node: Node) -> web.Response:
    """Take a slot in the background and hold it; joins the job that does so already."""
    cid, slot = _slot_of(request)
    until = until_of(request, node)
    await node.parts.slot_holds.start(cid, slot, timeout_of(request, node), until=until)
    return await _state(node, cid, slot, 202)


async def get(request: web.Request, node: Node) -> web.Response:
    return await _state(node, *_slot_of(request), 200)


async def drop(request: web.Request, node: Node) -> web.Response:
    """Hold a slot no more, and stop taking it."""
    cid, slot = _slot_of(request)
    if not await node.parts.slot_holds.drop(cid, slot):
        raise NotFound(f"slot {slot} of {cid} is not held here", cid=str(cid))
    return reply_empty(204)


async def _state(node: Node, cid: Cid, slot: int, status: int) -> web.Response:
    found = await node.parts.slot_holds.state(cid, slot)
    if found is None:
        raise NotFound(
            f"{cid} is not on this node, and nobody asked it to take slot {slot}; POST starts it",
            cid=str(cid),
        )
    return reply_json(slot_status(cid, found), status)


def _slot_of(request: web.Request) -> tuple[Cid, int]:
    """CID and slot of the path. Raises BadCid, InputError."""
    return cid_of(request), whole_of(request.match_info["slot"], "slot", 0, MAX_SLOTS - 1)
