"""Why is it so with a storage request? In words, from what the node and its chain know now."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from quire.base.errors import ChainError, NotFound
from quire.base.units import format_duration, format_time
from quire.chain.abi import id_text
from quire.market.purchase import Purchase
from quire.market.sale import Sale
from quire.node.node import Node
from quire.node.why import LAST_EVENTS, clock_time, wait_in_words
from quire.services.purchasing import Purchases
from quire.services.selling import Sales


class WhyContract(msgspec.Struct, frozen=True, rename="camel"):
    """The answer about the id of a request or slot. `sentences` is for people."""

    id: str
    sentences: list[str]
    waits: list[dict[str, Any]]
    events: list[dict[str, Any]]


async def why_contract(node: Node, wanted: bytes) -> WhyContract:
    """Raises NotFound when this node has nothing to do with it."""
    subject = id_text(wanted)
    sentences: list[str] = []
    if node.trading is not None:
        purchases = node.trading.purchases
        purchase = purchases.find(wanted)
        if purchase is not None:
            sentences += await _purchase(node, purchases, purchase)
        sales = node.trading.sales
        sale = None if sales is None else sales.machines.state(subject)
        if sales is not None and sale is not None:
            sentences += _sale(sales, sale)
    waits, events = node.waits.of(subject), node.events.history(subject)[-LAST_EVENTS:]
    if not sentences and not waits and not events:
        raise NotFound(f"this node has nothing to do with {subject}; quire purchases, quire sales")
    sentences += [wait_in_words(wait) for wait in waits]
    sentences += [f"{clock_time(event.at)} {event.message}." for event in events]
    return WhyContract(subject, sentences, waits, [event.as_dict() for event in events])


def _sale(sales: Sales, sale: Sale) -> list[str]:
    found = [f"This node sells slot {sale.slot_index} of {id_text(sale.request_id)}."]
    found.append(f"The sale is {sale.at}: {sales.words(sale)}.")
    if sale.deal is not None:
        found.append(
            f"{sale.deal.size} bytes with a collateral of {sale.deal.collateral} tokens; it earns "
            f"{sale.deal.rate} a second until {format_time(sale.deal.end)}."
        )
    waits_for = sales.next_deadline(sale)
    if waits_for is not None:
        found.append(f"Next: {waits_for[0]}, until {format_time(waits_for[1])}.")
    trouble = sales.trouble(sale)
    if trouble is not None:
        found.append(f"It is tried again, because: {trouble.message}.")
    proving = sales.proving(sale)
    if proving is not None:
        found.append(f"Its proofs: {proving['reason']}.")
    return found


async def _purchase(node: Node, purchases: Purchases, purchase: Purchase) -> list[str]:
    words = purchases.words(purchase)
    found = [f"This node bought it; it is {purchase.at}: {words}."]
    if purchase.request is not None:
        ask = purchase.request.ask
        found.append(
            f"{ask.slots} slots of {ask.slot_size} bytes for {format_duration(ask.duration)}, at "
            f"most {ask.max_price} tokens; up to {ask.max_slot_loss} of them may be lost."
        )
    waits_for = purchases.next_deadline(purchase)
    if waits_for is not None:
        found.append(f"Next: {waits_for[0]}, until {format_time(waits_for[1])}.")
    trouble = purchases.trouble(purchase)
    if trouble is not None:
        found.append(f"It is tried again, because: {trouble.message}.")
    try:
        slots = await purchases.slots(purchase)
    except ChainError as error:
        return [*found, f"How its slots are cannot be said: {error.message}."]
    counts = Counter(slot.state.name.lower() for slot in slots)
    if counts:
        told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        found.append(f"Its slots now: {told}.")
    return found
