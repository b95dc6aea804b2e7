"""Examples of every state and event of a lease."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quire.base.errors import StoreCorrupt
from quire.base.machine import Failed, TimedOut
from quire.formats.replica_codes import LeaseState
from quire.point.billing import settle
from quire.point.lease import (
    GRACE_SECONDS,
    Charged,
    Dropped,
    Dues,
    Given,
    Hold,
    Lease,
    LeaseNow,
    LeaseOrder,
    Lost,
    MapTaken,
    Progress,
    RenewAsked,
    SignAsked,
)
from quire.point.lease_machine import LeaseMachine
from quire.point.values import Code
from support.link_kit import BLOCKS, CLIENT, DAY, LINK_ID, NOW, ROOT, SEALED_BYTES, SIGNED_OFFER
from support.machine_page import Page

CLIENT_PEER = "the client's peer"
MACHINE = LeaseMachine()
EXPIRES = NOW + 2 * DAY
ORDER = LeaseOrder(LINK_ID, CLIENT_PEER, CLIENT, SEALED_BYTES, BLOCKS, EXPIRES, SIGNED_OFFER)
NEW = Lease(ORDER, SIGNED_OFFER)
MAPPED = replace(NEW, at=LeaseState.MAPPED, root=ROOT)
COMPLETE = replace(MAPPED, at=LeaseState.COMPLETE, received=BLOCKS)
SIGNED = MACHINE.step(COMPLETE, SignAsked(NOW))[0]
STORED = replace(SIGNED, terms=settle(SIGNED.terms, 0))
GRACE = replace(
    STORED, at=LeaseState.GRACE, why="its term is over", grace_until=EXPIRES + GRACE_SECONDS
)
DELETED = replace(GRACE, at=LeaseState.DELETED, grace_until=0)

LABELLED = {
    "RESERVED": NEW,
    "MAPPED": MAPPED,
    "RECEIVING": replace(MAPPED, at=LeaseState.RECEIVING, received=2),
    "COMPLETE": COMPLETE,
    "STORED, a bill is due": SIGNED,
    "STORED": STORED,
    "GRACE": GRACE,
    "GRACE, unpaid": replace(GRACE, is_unpaid=True, grace_until=NOW + 2 * DAY),
    "DELETED": DELETED,
    "DELETED, closed": replace(DELETED, is_closed=True),
}
_NAMES = [(state, name) for name, state in LABELLED.items()]


def label(state: Lease) -> str:
    return next((name for other, name in _NAMES if other == state), state.at.name)


EVENTS: dict[str, Any] = {
    "MapTaken": MapTaken(ROOT),
    "Progress, none": Progress(0),
    "Progress, some": Progress(3),
    "Progress, all": Progress(BLOCKS),
    "SignAsked": SignAsked(NOW),
    "SignAsked, too late": SignAsked(EXPIRES),
    "RenewAsked": RenewAsked(EXPIRES + DAY, SIGNED_OFFER, NOW + DAY),
    "Charged, first": Charged(0),
    "Charged, second": Charged(1),
    "Dues, none": Dues(0, NOW + DAY),
    "Dues, for an hour": Dues(3600, NOW + DAY),
    "Dues, for a period": Dues(DAY, NOW + DAY),
    "LeaseNow, next period": LeaseNow(NOW + DAY),
    "LeaseNow, over": LeaseNow(EXPIRES),
    "LeaseNow, grace over": LeaseNow(EXPIRES + GRACE_SECONDS),
    "Lost": Lost("a block is damaged"),
    "Given": Given(),
    "Dropped": Dropped(),
    "TimedOut": TimedOut(),
    "Failed": Failed(Hold(NOW), StoreCorrupt("no")),
}
_OK, _NONE, _GONE = Code.OK, Code.NOT_FOUND, Code.EXPIRED
# What is answered in each state to a map, another map, data, sign, audit, renew.
CODES = {
    "RESERVED": (_OK, _OK, _NONE, _NONE, _NONE, Code.REFUSED),
    "MAPPED": (_OK, Code.CONFLICT, _OK, Code.INCOMPLETE, _NONE, Code.REFUSED),
    "RECEIVING": (_OK, Code.CONFLICT, _OK, Code.INCOMPLETE, _NONE, Code.REFUSED),
    "COMPLETE": (_OK, Code.CONFLICT, _OK, _OK, _OK, Code.REFUSED),
    "STORED": (Code.ALREADY_STORED, Code.CONFLICT, _OK, _OK, _OK, _OK),
    "GRACE": (Code.ALREADY_STORED, Code.CONFLICT, _OK, _OK, _OK, _OK),
    "GRACE, unpaid": (Code.ALREADY_STORED, Code.CONFLICT, _OK, _OK, _OK, Code.PAYMENT_REQUIRED),
    "DELETED": (_GONE,) * 6,
}
PAGE = Page(
    "A lease",
    MACHINE,
    "What `quire.point.lease` does for one sealed replica at its provider: the other side of a "
    "[link](link.md). The codes of its answers are in "
    "[link-machine](../reference/link-machine.md).",
    label,
    tuple(LABELLED.values()),
    EVENTS,
)
