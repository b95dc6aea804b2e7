"""Bytes of an order in the customer's journal, and back."""

from __future__ import annotations

from quire.aggregation.job_record import check_ordered
from quire.aggregation.order import ENDS, At, Order
from quire.aggregation.values import service_of
from quire.base.errors import BadEncoding
from quire.formats.record import check_numbers, decode_record, encode_record

FORMAT = 1
PARTS = 2
_WITH_RESULT = (At.CHECKING, At.PAYING, At.SERVING, At.SETTLING, At.SETTLED)


def encode_order(order: Order) -> bytes:
    return encode_record(FORMAT, order)


def decode_order(data: bytes) -> Order:
    """What `encode_order` was given. Raises BadEncoding."""
    order = decode_record(data, Order, "order", FORMAT)
    check_ordered("order", order.job_id, order.peer, order.account, order.work)
    if order.offer.offer.service is not service_of(order.work):
        raise BadEncoding("the record of an order has an offer of another service")
    if order.at in _WITH_RESULT and not order.result:
        raise BadEncoding(f"the record of an order in {order.at.value} has no result")
    if not 0 < order.confidence < 1 or order.paid > PARTS:
        raise BadEncoding("the record of an order has a confidence or payments out of range")
    if order.at is At.CLAIMING and order.ending not in ENDS:
        raise BadEncoding("the record of an order in claiming does not say how it would end")
    for part in (order, order.offer.offer):
        check_numbers("order", part)
    return order
