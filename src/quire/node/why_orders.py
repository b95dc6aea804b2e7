"""What was ordered of aggregators for a dataset or a slot, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire.aggregation.order import Order
from quire.aggregation.receipt import receipt_in
from quire.aggregation.values import EncodeWork
from quire.aggregation.words import work_in_words
from quire.formats.cid import Cid

if TYPE_CHECKING:
    from quire.node.aggregation import Aggregation


def orders_about(aggregation: Aggregation | None, subject: str) -> list[str]:
    """A sentence for each order that is for a dataset or slot."""
    if aggregation is None:
        return []
    return [
        f"Order {order.key} at {order.peer}, {work_in_words(order.work)}: {order.at}, "
        f"{aggregation.orders.words(order)}."
        for order in aggregation.orders.all()
        if order.subject == subject or str(coded_of(order)) == subject
    ]


def coded_of(order: Order) -> Cid | None:
    """The dataset that was made for it, by the aggregator's account."""
    receipt = receipt_in(order.result) if isinstance(order.work, EncodeWork) else None
    return None if receipt is None else receipt.encoded
