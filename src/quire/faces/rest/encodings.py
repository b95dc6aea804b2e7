"""Datasets that aggregators code for this node: begun, followed, given up."""

from __future__ import annotations

import re
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aiohttp import web

from quire.aggregation.stripes import needed
from quire.base.errors import InputError, Refused
from quire.faces.rest.aggregators import rows_of
from quire.faces.rest.body import pieces
from quire.faces.rest.inputs import filename_of, mimetype_of
from quire.faces.rest.job_shapes import JobBody, order_body
from quire.faces.rest.jobs import aggregation_of
from quire.faces.rest.market_body import MarketBody, read_body
from quire.faces.rest.reply import Plain, reply_empty, reply_json
from quire.faces.rest.shape import Shape
from quire.formats.cid import Cid
from quire.market.bid import NODES, TOLERANCE, Bid
from quire.node.aggregation_settings import via_of
from quire.node.node import Node
from quire.services.ordering.encoding import SERVE_SECONDS, EncodeTerms
from quire.services.ordering.encoding_runs import EncodingRun
from quire.services.ordering.pushing import Streamed

if TYPE_CHECKING:
    from quire.node.aggregation import Aggregation

SPARE_SECONDS = 600  # that blocks are served beyond the time that hosts have to fill slots
_ID = re.compile("[0-9a-f]{32}")


class EncodingBody(Shape, frozen=True):
    """`state`: running complete failed cancelled. `cid`: of the original, null while it streams by;
    `result`: the coded dataset, once it was checked. `checks`: columns that this node codes again,
    of `columns`, to find one wrong one in a hundred with `confidence`. `orders`: at one aggregator
    after the other; the last is the present one."""

    id: str
    cid: str | None
    size: int
    nodes: int
    tolerance: int
    confidence: float
    checks: int
    columns: int
    state: str
    words: str
    ended: bool
    trouble: str | None
    result: str | None
    error: dict[str, Any] | None
    orders: list[JobBody]


class EncodingList(Shape, frozen=True):
    encodings: list[EncodingBody]


async def start(request: web.Request, node: Node) -> web.Response:
    """Have a dataset of this node coded; returns at once."""
    aggregation, body = aggregation_of(node), await read_body(request)
    cid = Cid.parse(body.text("cid"))
    serve_seconds = body.uint64("serve", SERVE_SECONDS)
    terms = terms_of(body, node, serve_seconds)
    run = aggregation.runs.start(await aggregation.encoding.check(cid, terms), terms)
    return reply_json(encoding_body(aggregation, run), 202)


async def stream(request: web.Request, node: Node) -> web.Response:
    """Have the body coded, of which this node keeps nothing but what it checks the result with.
    The answer comes when it is coded and checked; until then `?id=` can be followed."""
    aggregation = aggregation_of(node)
    if request.content_length is None:
        words = "say how many bytes come: send Content-Length"
        raise Plain(411, words, InputError(words))
    wanted = Streamed(request.content_length, filename_of(request), mimetype_of(request))
    fields = _query(request)
    terms = terms_of(fields, node, fields.uint64("serve", SERVE_SECONDS))
    async with aclosing(pieces(request, node.config.upload_idle_timeout, node.waits)) as body:
        run = aggregation.runs.stream(_id_of(request), wanted, body, terms)
        await aggregation.runs.until_result(run)
    return reply_json(encoding_body(aggregation, run), 201)


async def list_all(_request: web.Request, node: Node) -> web.Response:
    aggregation = aggregation_of(node)
    runs = aggregation.runs.every()
    return reply_json(EncodingList([encoding_body(aggregation, run) for run in runs]))


async def show(request: web.Request, node: Node) -> web.Response:
    aggregation = aggregation_of(node)
    return reply_json(encoding_body(aggregation, _run_of(request, aggregation)))


async def cancel(request: web.Request, node: Node) -> web.Response:
    """Nothing is paid for what was not accepted yet."""
    aggregation = aggregation_of(node)
    run = _run_of(request, aggregation)
    if run.has_ended:
        raise Refused(f"the encoding {run.run_id} has ended: {aggregation.runs.words(run)}")
    await aggregation.runs.cancel(run)
    return reply_empty(204)


def _run_of(request: web.Request, aggregation: Aggregation) -> EncodingRun:
    """Raises NotFound."""
    return aggregation.runs.get(request.match_info["encodingId"])


def _id_of(request: web.Request) -> str:
    """32 hexadecimal digits that whoever streams has chosen, or nothing. Raises InputError."""
    text = request.query.get("id", "").lower()
    if text and _ID.fullmatch(text) is None:
        raise InputError(f"id={text[:80]} is not 32 hexadecimal digits")
    return text


def _query(request: web.Request) -> MarketBody:
    """What a body would say, said in the query. Raises InputError."""
    query = request.query
    fields: dict[str, object] = {"via": query.getall("via", [])}
    fields |= {
        name: query[name] for name in ("nodes", "tolerance", "serve", "maxPrice") if name in query
    }
    if (text := query.get("confidence")) is not None:
        try:
            fields["confidence"] = float(text)
        except ValueError:
            raise InputError(f"confidence={text[:40]} is not a number") from None
    return MarketBody(fields)


def terms_of(body: MarketBody, node: Node, serve_seconds: int) -> EncodeTerms:
    """Rows, who may code them, and how well they are looked at. Raises InputError."""
    nodes, tolerance = rows_of(
        str(body.uint64("nodes", NODES)), str(body.uint64("tolerance", TOLERANCE))
    )
    via = via_of(body.texts("via"), "via")
    confidence = node.config.check_confidence
    return EncodeTerms(
        k=nodes - tolerance,
        m=tolerance,
        via=() if via is None else via.peers,
        confidence=body.number("confidence") if body.has("confidence") else confidence,
        serve_seconds=serve_seconds,
        max_price=body.uint256("maxPrice"),
    )


async def coded_via(node: Node, cid: Cid, bid: Bid, body: MarketBody) -> Cid:
    """The verifiable dataset that an aggregator made, checked, as the bid of a storage request
    wants it. Hosts are served until its slots have to be filled."""
    aggregation = aggregation_of(node)
    terms = replace(terms_of(body, node, bid.expiry + SPARE_SECONDS), k=bid.k, m=bid.m)
    run = aggregation.runs.start(await aggregation.encoding.check(cid, terms), terms)
    return await aggregation.runs.until_result(run)


def encoding_body(aggregation: Aggregation, run: EncodingRun) -> EncodingBody:
    runs, terms = aggregation.runs, run.terms
    orders = runs.orders_of(run)
    trouble = aggregation.orders.trouble(orders[-1].key) if orders else None
    steps = run.geometry.steps
    return EncodingBody(
        id=run.run_id,
        cid=None if run.cid is None else str(run.cid),
        size=run.size,
        nodes=terms.k + terms.m,
        tolerance=terms.m,
        confidence=terms.confidence,
        checks=needed(steps, terms.confidence),
        columns=steps,
        state=run.state,
        words=runs.words(run),
        ended=run.has_ended,
        trouble=None if trouble is None or run.has_ended else trouble.message,
        result=None if run.result is None else str(run.result),
        error=None if run.error is None else run.error.as_dict(),
        orders=[order_body(aggregation.orders, order, []) for order in orders],
    )
