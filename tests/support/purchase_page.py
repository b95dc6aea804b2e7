"""Examples of every state and event of a purchase."""

from __future__ import annotations

from dataclasses import replace

from quire.base.errors import InsufficientFunds, Reverted
from quire.base.machine import Failed, TimedOut
from quire.chain.values import Ask, Content, RequestState, StorageRequest
from quire.market.purchase import (
    At,
    Changed,
    NotThere,
    Purchase,
    PurchaseMachine,
    Rewound,
    Seen,
    Submit,
    Withdraw,
    Withdrawn,
)
from support.machine_page import Page

ASK = Ask(
    proof_probability=4,
    price_per_byte_per_second=1_000,
    collateral_per_byte=1,
    slots=6,
    slot_size=65_536,
    duration=3_600,
    max_slot_loss=2,
)
REQUEST = StorageRequest(
    client=bytes(range(20)),
    ask=ASK,
    content=Content(cid=b"\x01\xcd" + bytes(34), merkle_root=bytes(31) + b"\x01"),
    expiry=600,
    nonce=b"\x07" * 32,
)
NEW = Purchase(b"\x2a" * 32, At.PENDING, REQUEST)
EXPIRES_AT, ENDS_AT = 1_800_000_600, 1_800_003_600
ON_CHAIN = replace(NEW, expires_at=EXPIRES_AT, ends_at=ENDS_AT)


def seen(state: RequestState) -> Seen:
    return Seen(state, EXPIRES_AT, ENDS_AT, REQUEST)


STATES = (
    NEW,
    replace(ON_CHAIN, at=At.SUBMITTED),
    replace(ON_CHAIN, at=At.STARTED),
    replace(ON_CHAIN, at=At.FINISHED),
    replace(ON_CHAIN, at=At.FINISHED, is_withdrawn=True),
    replace(ON_CHAIN, at=At.CANCELLED),
    replace(ON_CHAIN, at=At.CANCELLED, is_withdrawn=True),
    replace(ON_CHAIN, at=At.FAILED),
    replace(ON_CHAIN, at=At.ERRORED, is_withdrawn=True, error="Purchase failed"),
    replace(NEW, at=At.ERRORED, error="no money"),
    Purchase(NEW.request_id, At.UNKNOWN),
)


def label(state: Purchase) -> str:
    return f"{state.at}, withdrawn" if state.is_withdrawn else state.at.value


EVENTS = {
    "Seen NEW": seen(RequestState.NEW),
    "Seen STARTED": seen(RequestState.STARTED),
    "Seen FINISHED": seen(RequestState.FINISHED),
    "Seen CANCELLED": seen(RequestState.CANCELLED),
    "Seen FAILED": seen(RequestState.FAILED),
    "NotThere soon": NotThere(EXPIRES_AT - REQUEST.expiry + 60),
    "NotThere late": NotThere(ENDS_AT),
    "Withdrawn": Withdrawn(),
    "Changed": Changed(),
    "Rewound": Rewound(),
    "TimedOut": TimedOut(),
    "Failed Submit": Failed(Submit(), InsufficientFunds("no money")),
    "Failed Withdraw": Failed(Withdraw(), Reverted("not now")),
}
PAGE = Page(
    "A purchase",
    PurchaseMachine(),
    "What `quire.market.purchase` does, in the states of the reference's API.",
    label,
    STATES,
    EVENTS,
)
