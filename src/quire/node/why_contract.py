"""Why is it so with a storage request? In words, from what the node and its chain know now."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from quire.base.errors import ChainError, NotFound
from quire.base.units import format_duration, format_time
from quire.chain.abi import id_text
from quire.market.purchase import Purchase
from quire.node.node import Node
from quire.node.why import LAST_EVENTS, clock_time, wait_in_words
from quire.node.why_next import next_words
from quire.node.why_orders import orders_about
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
            sentences += await _purchase(purchases, purchase)
        sentences += _sales(node.trading.sales, wanted)
        if node.trading.prover is not None:
            sentences += node.trading.prover.words(wanted)
        sentences += orders_about(node.aggregation, subject)
    waits, events = node.waits.of(subject), node.events.history(subject)[-LAST_EVENTS:]
    if not sentences and not waits and not events:
        raise NotFound(f"this node has nothing to do with {subject}; quire purchases, quire sales")
    sentences += [wait_in_words(wait) for wait in waits]
    sentences += [f"{clock_time(event.at)} {event.message}." for event in events]
    return WhyContract(subject, sentences, waits, [event.as_dict() for event in events])


async def _purchase(purchases: Purchases, purchase: Purchase) -> list[str]:
    words = purchases.words(purchase)
    found = [f"This node bought it; it is {purchase.at}: {words}."]
    if purchase.request is not None:
        ask = purchase.request.ask
        found.append(
            f"{ask.slots} slots of {ask.slot_size} bytes for {format_duration(ask.duration)}, at "
            f"most {ask.max_price} tokens; up to {ask.max_slot_loss} of them may be lost."
        )
    found += next_words(purchases.next_deadline(purchase), purchases.trouble(purchase))
    try:
        slots = await purchases.slots(purchase)
    except ChainError as error:
        return [*found, f"How its slots are cannot be said: {error.message}."]
    counts = Counter(slot.state.name.lower() for slot in slots)
    if counts:
        told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        found.append(f"Its slots now: {told}.")
    return found


def _sales(sales: Sales | None, wanted: bytes) -> list[str]:
    """Of a slot, or of every slot of a request that this node has to do with."""
    found: list[str] = []
    if sales is None:
        return found
    for sale in sales.all():
        if wanted not in (sale.slot_id, sale.request_id):
            continue
        slot = f"Slot {sale.slot_index} of the request, {id_text(sale.slot_id)}"
        found.append(f"{slot}: {sales.words(sale)}.")
        if sale.deal is not None:
            found.append(
                f"{sale.deal.size} bytes with a collateral of {sale.deal.collateral} tokens; it "
                f"earns {sale.deal.rate} a second until {format_time(sale.deal.end)}."
            )
        found += next_words(sales.next_deadline(sale), sales.trouble(sale))
    return found
