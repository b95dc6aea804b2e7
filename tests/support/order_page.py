"""Examples of every state and event of an order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quire.aggregation.order import (
    At,
    Cancel,
    Claimed,
    Declined,
    Fund,
    Funded,
    Good,
    NotOwed,
    Order,
    Paid,
    Ready,
    Served,
    Taken,
    Told,
    Wrong,
)
from quire.aggregation.order_machine import OrderMachine
from quire.aggregation.values import Service
from quire.base.errors import InsufficientFunds
from quire.base.machine import Failed, TimedOut
from quire.formats.aggregator_codes import Reason
from support.aggregator_messages import an_order
from support.machine_page import Page

MACHINE = OrderMachine()
CODED = {at.name: an_order(Service.ENCODE, at) for at in At if at is not At.CLAIMING}
PROMISED = replace(an_order(Service.SUBMIT, At.WAITING), signature=b"s" * 65)
PROVED = an_order(Service.PROVE, At.PAYING)
LABELLED = {
    "an end, told": replace(CODED["SETTLED"], is_told=True),
    **CODED,
    "PAYING, of a proof": PROVED,
    "WAITING, with a promise": PROMISED,
    "CLAIMING": replace(PROMISED, at=At.CLAIMING, ending=At.LATE),
}
_KEYS = {(state.work, state.at, bool(state.signature)): name for name, state in LABELLED.items()}


def label(state: Order) -> str:
    if state.is_told:
        return "an end, told"
    return _KEYS.get((state.work, state.at, bool(state.signature)), state.at.name)


EVENTS: dict[str, Any] = {
    "Funded": Funded(),
    "Taken": Taken(),
    "Declined": Declined("no"),
    "Ready": Ready(b"result", b"s" * 65),
    "Good": Good("all of it"),
    "Wrong": Wrong(Reason.PARITY, "a parity block is wrong", 3),
    "Paid, first": Paid(0, 1000),
    "Paid, last": Paid(1, 1000),
    "Served": Served(),
    "Cancel": Cancel(),
    "Claimed": Claimed(9),
    "NotOwed": NotOwed("the proof is in the chain"),
    "Told": Told(),
    "TimedOut": TimedOut(),
    "Failed": Failed(Fund(), InsufficientFunds("no tokens")),
}
PAGE = Page(
    "An order",
    MACHINE,
    "What `quire.aggregation.order_machine` does for one order at one aggregator, from the "
    "customer's side. Nothing is paid before CHECKING has said that the result is good "
    "([how that is known](../explain/verified-coding.md)). Only ENCODE has a second part of the "
    "price and SERVING; only SUBMIT, where the aggregator has signed a promise, CLAIMING.",
    label,
    tuple(LABELLED.values()),
    EVENTS,
)
