"""Scrub and fsck: how the search for damage goes, and what it found."""

from __future__ import annotations

from aiohttp import web

from quire.base.errors import NotFound
from quire.base.units import format_size
from quire.faces.rest.reply import reply_empty, reply_json
from quire.faces.rest.schemas import FsckBody, LostBody, ScrubBody
from quire.node.node import Node
from quire.services.fsck import FsckReport, Lost, in_words


async def scrub(_request: web.Request, node: Node) -> web.Response:
    return reply_json(scrub_body(node))


async def start_scrub(_request: web.Request, node: Node) -> web.Response:
    """Begin a pass now, unless one is under way."""
    node.scrub.begin()
    return reply_json(scrub_body(node), 202)


async def start_fsck(_request: web.Request, node: Node) -> web.Response:
    """Check everything now, or join the check that is under way."""
    return reply_json(_fsck_body(node.fsck.start()), 202)


async def get_fsck(_request: web.Request, node: Node) -> web.Response:
    if node.fsck.report is None:
        raise NotFound("nobody asked this node for a check since it started; POST starts one")
    return reply_json(_fsck_body(node.fsck.report))


async def cancel_fsck(_request: web.Request, node: Node) -> web.Response:
    await node.fsck.cancel()
    return reply_empty(204)


def scrub_body(node: Node) -> ScrubBody:
    status = node.scrub.status()
    return ScrubBody(
        state=status.state,
        read_bytes=status.read_bytes,
        total_bytes=status.total_bytes,
        lost_blocks=status.lost_blocks,
        last_ended_at=status.last_ended_at,
        next_at=status.next_at,
    )


def _fsck_body(report: FsckReport) -> FsckBody:
    return FsckBody(
        state=report.state,
        started_at=report.started_at,
        read_bytes=report.read_bytes,
        total_bytes=report.total_bytes,
        good=report.is_good,
        index_problems=report.index_problems,
        index_left=report.index_left,
        damaged_blocks=report.damaged_blocks,
        repaired_blocks=report.repaired_blocks,
        dropped_slot_trees=report.dropped_slot_trees,
        damaged=[_lost(each) for each in report.damaged],
        lost=[_lost(each) for each in report.lost],
        words=in_words(report, format_size),
    )


def _lost(lost: Lost) -> LostBody:
    return LostBody(lost.cid, lost.filename, [list(each) for each in lost.byte_ranges])
