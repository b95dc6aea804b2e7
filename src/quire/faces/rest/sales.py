"""Selling storage: offers, slots and sales, as the reference answers and with more words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from quire.base.errors import BadOffer, ChainError, NotFound
from quire.chain.abi import request_id as request_id_of
from quire.faces.rest.inputs import id_of
from quire.faces.rest.market import no_selling_here, trading_of
from quire.faces.rest.market_body import MarketBody, read_body
from quire.faces.rest.reply import reply_empty, reply_json
from quire.faces.rest.sales_shapes import (
    SaleList,
    SaleStatus,
    agent_body,
    availability_body,
    chance_body,
    reservation_body,
    sale_status,
    slot_body,
)
from quire.market.availability import Availability, Change
from quire.market.sale import Sale
from quire.node.node import Node

if TYPE_CHECKING:
    from quire.services.selling import Sales


def sales_of(node: Node) -> Sales:
    """Raises Plain 503 when this node does not sell."""
    sales = trading_of(node).sales
    if sales is None:
        raise no_selling_here()
    return sales


# ---- slots, as the reference has them ----


async def list_slots(_request: web.Request, node: Node) -> web.Response:
    """What the contract says that this account fills."""
    held = await sales_of(node).held()
    return reply_json(
        [slot_body(request, request_id_of(request), index, slot) for request, index, slot in held]
    )


async def show_slot(request: web.Request, node: Node) -> web.Response:
    sales = sales_of(node)
    sale = sales.find(id_of(request, "slotId"))
    try:
        wanted = await sales.work.request(sale.request_id)
    except (NotFound, ChainError):  # it is told without
        wanted = None
    return reply_json(agent_body(sale, wanted, sales.offers.ledger.share(sale.slot_id)))


# ---- offers ----


async def list_offers(_request: web.Request, node: Node) -> web.Response:
    accounts = sales_of(node).offers.ledger.accounts()
    return reply_json([availability_body(account) for account in accounts])


async def create_offer(request: web.Request, node: Node) -> web.Response:
    sales, body = sales_of(node), await read_body(request)
    terms = Availability(
        id=b"",
        total_size=body.uint64("totalSize"),
        duration=body.uint64("duration"),
        min_price_per_byte_per_second=body.uint256("minPricePerBytePerSecond"),
        total_collateral=body.uint256("totalCollateral"),
        is_enabled=body.truth("enabled", True),
        until=body.signed("until"),
    )
    return reply_json(availability_body(await sales.offers.create(terms)), 201)


async def change_offer(request: web.Request, node: Node) -> web.Response:
    sales, body = sales_of(node), await read_body(request)
    offer = id_of(request, "id")
    sales.offers.ledger.account(offer)
    if body.has("freeSize"):
        raise BadOffer("Updating freeSize is not allowed")
    await sales.offers.change(offer, _change(body))
    return reply_empty(204)


async def remove_offer(request: web.Request, node: Node) -> web.Response:
    await sales_of(node).offers.remove(id_of(request, "id"))
    return reply_empty(204)


async def list_reservations(request: web.Request, node: Node) -> web.Response:
    account = sales_of(node).offers.ledger.account(id_of(request, "id"))
    return reply_json([reservation_body(share) for share in account.shares.values()])


# ---- at Quire's own base ----


async def list_sales(_request: web.Request, node: Node) -> web.Response:
    sales = sales_of(node)
    found = [await _status(sales, sale, is_whole=False) for sale in sales.all()]
    return reply_json(SaleList(found, [chance_body(each) for each in sales.queue.chances()]))


async def show_sale(request: web.Request, node: Node) -> web.Response:
    sales = sales_of(node)
    sale = sales.find(id_of(request, "slotId"))
    return reply_json(await _status(sales, sale, is_whole=True))


async def _status(sales: Sales, sale: Sale, *, is_whole: bool) -> SaleStatus:
    trouble = sales.trouble(sale)
    return sale_status(
        sale,
        sales.words(sale),
        sales.next_deadline(sale),
        None if trouble is None else trouble.message,
        sales.offers.ledger.share(sale.slot_id),
        sales.proving(sale),
        await sales.history(sale.slot_id) if is_whole else [],
    )


def _change(body: MarketBody) -> Change:
    """What of an offer a body wants to be different."""

    def uint64(name: str) -> int | None:
        return body.uint64(name) if body.has(name) else None

    def uint256(name: str) -> int | None:
        return body.uint256(name) if body.has(name) else None

    return Change(
        total_size=uint64("totalSize"),
        duration=uint64("duration"),
        min_price_per_byte_per_second=uint256("minPricePerBytePerSecond"),
        total_collateral=uint256("totalCollateral"),
        is_enabled=body.truth("enabled", False) if body.has("enabled") else None,
        until=body.signed("until") if body.has("until") else None,
    )
