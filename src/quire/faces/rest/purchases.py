"""Buying storage: requests and purchases, as the reference answers and with more words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from quire.base.errors import NotFound, QuireError
from quire.base.units import DURATION_MAX_SECONDS
from quire.chain.abi import id_text
from quire.faces.rest.encodings import coded_via
from quire.faces.rest.inputs import cid_of, id_of, timeout_of
from quire.faces.rest.market import trading_of
from quire.faces.rest.market_body import MarketBody, read_body
from quire.faces.rest.purchase_shapes import (
    PurchaseList,
    PurchaseStatus,
    purchase_body,
    purchase_status,
    quote_body,
)
from quire.faces.rest.reply import Plain, reply_json, reply_text
from quire.formats.cid import Cid
from quire.market.bid import NODES, TOLERANCE, BadTerms, Bid
from quire.market.purchase import Purchase
from quire.market.quote import Planned
from quire.node.node import Node
from quire.node.why_contract import why_contract

if TYPE_CHECKING:
    from quire.services.purchasing import Purchases


async def request_storage(request: web.Request, node: Node) -> web.Response:
    """Code the dataset, ask for hosts; the request's id. May take minutes."""
    purchases = purchases_of(node)
    cid, bid, _ = await _bid_of(request, node)
    try:
        request_id = await purchases.buy(cid, bid, timeout_of(request, node))
    except BadTerms as error:
        raise Plain(422, error.reference, error) from None
    return reply_text(request_id.hex())


async def list_ids(_request: web.Request, node: Node) -> web.Response:
    return reply_json([id_text(each.request_id) for each in purchases_of(node).all()])


async def show(request: web.Request, node: Node) -> web.Response:
    purchases = purchases_of(node)
    try:
        return reply_json(purchase_body(_purchase(request, purchases)))
    except NotFound as error:
        raise Plain(404, "", error) from None


# ---- at Quire's own base ----


async def quote(request: web.Request, node: Node) -> web.Response:
    """What a request would cost; nothing is signed, coded or sent."""
    purchases = purchases_of(node)
    cid, bid, plan = await _bid_of(request, node)
    found = await purchases.quote(cid, bid, timeout_of(request, node))
    return reply_json(quote_body(cid, found, purchases.account, plan))


async def buy(request: web.Request, node: Node) -> web.Response:
    """With `via` the dataset is coded by an aggregator, checked here, before hosts are asked."""
    purchases = purchases_of(node)
    body = await read_body(request)
    cid, bid, _ = await _bid_in(request, node, body)
    if body.has("via"):
        cid = await coded_via(node, cid, bid, body)
    request_id = await purchases.buy(cid, bid, timeout_of(request, node))
    purchase = purchases.find(request_id)
    assert purchase is not None
    return reply_json(await _status(purchases, purchase, is_whole=False), 201)


async def list_all(_request: web.Request, node: Node) -> web.Response:
    purchases = purchases_of(node)
    found = [await _status(purchases, each, is_whole=False) for each in purchases.all()]
    return reply_json(PurchaseList(found))


async def show_all(request: web.Request, node: Node) -> web.Response:
    """One purchase with its slots, as the chain has them now, and its history."""
    purchases = purchases_of(node)
    return reply_json(await _status(purchases, _purchase(request, purchases), is_whole=True))


async def explain(request: web.Request, node: Node) -> web.Response:
    """The causal chain of a request or slot, in words."""
    trading_of(node)
    return reply_json(await why_contract(node, id_of(request, "id")))


def purchases_of(node: Node) -> Purchases:
    """Raises Plain 503 when this node does not trade."""
    return trading_of(node).purchases


async def _status(purchases: Purchases, purchase: Purchase, *, is_whole: bool) -> PurchaseStatus:
    trouble: QuireError | None = purchases.trouble(purchase)
    slots = await purchases.slots(purchase) if is_whole else []
    return purchase_status(
        purchase,
        purchases.words(purchase),
        purchases.next_deadline(purchase),
        None if trouble is None else trouble.message,
        slots,
        await purchases.history(purchase) if is_whole else [],
    )


def _purchase(request: web.Request, purchases: Purchases) -> Purchase:
    wanted = id_of(request, "id")
    purchase = purchases.find(wanted)
    if purchase is None:
        raise NotFound(
            f"this node has no purchase {id_text(wanted)}; quire purchases shows those it has"
        )
    return purchase


async def _bid_of(request: web.Request, node: Node) -> tuple[Cid, Bid, Planned | None]:
    return await _bid_in(request, node, await read_body(request))


async def _bid_in(
    request: web.Request, node: Node, body: MarketBody
) -> tuple[Cid, Bid, Planned | None]:
    """The CID of the path and the bid of the body. With `nines` the code and the proof rate are
    planned, unless the body says which."""
    cid = cid_of(request)
    plan = None
    duration = body.uint64("duration")
    if body.has("nines"):
        seconds = min(duration, int(DURATION_MAX_SECONDS))
        plan = await purchases_of(node).plan(
            cid, body.number("nines"), seconds, timeout_of(request, node)
        )
    return cid, _bid(body, duration, plan), plan


def _bid(body: MarketBody, duration: int, plan: Planned | None) -> Bid:
    return Bid(
        duration=duration,
        expiry=body.uint64("expiry"),
        proof_probability=body.uint256(
            "proofProbability", 0 if plan is None else plan.proof_probability
        ),
        price_per_byte_per_second=body.uint256("pricePerBytePerSecond"),
        collateral_per_byte=body.uint256("collateralPerByte"),
        nodes=body.uint64("nodes", NODES) if plan is None else plan.nodes,
        tolerance=body.uint64("tolerance", TOLERANCE) if plan is None else plan.tolerance,
    )
