"""Examples of every state and event of a sale."""

from __future__ import annotations

from dataclasses import replace

from quire.base.errors import ChainError, InsufficientFunds
from quire.base.machine import Failed, TimedOut
from quire.chain.values import RequestState, SlotState
from quire.market.sale import (
    Alarm,
    At,
    Changed,
    Cleaned,
    Deal,
    Downloaded,
    Filled,
    GivenUp,
    Kept,
    Later,
    Look,
    Prepared,
    Proved,
    Reserved,
    Sale,
    Seen,
    Stale,
    TakenBack,
    Unreserved,
)
from quire.market.sale_machine import SaleMachine
from support.machine_page import Page

EXPIRY, END = 1_800_000_600, 1_800_003_600
DEAL = Deal(b"\x01\xcd" + bytes(36), 1024, 102_400, 1024, EXPIRY, END)
OFFER = b"\x0f" * 32
NEW = Sale(b"\x2a" * 32, 1, b"\x51" * 32)
DEALT = replace(NEW, deal=DEAL, offer=OFFER)
OURS = replace(DEALT, is_staked=True, filled_at=EXPIRY - 100)
PROOF = bytes(255) + b"\x01"

STATES = (
    replace(OURS, at=At.UNKNOWN, offer=b"", filled_at=0),
    NEW,
    replace(NEW, look_at=EXPIRY - 50, why="this host may reserve the slot later"),
    replace(DEALT, at=At.SLOT_RESERVING),
    replace(DEALT, at=At.DOWNLOADING),
    replace(DEALT, at=At.INITIAL_PROVING),
    replace(DEALT, at=At.FILLING, proof=PROOF, proof_until=EXPIRY - 30),
    replace(OURS, at=At.FILLED),
    replace(OURS, at=At.PROVING),
    replace(OURS, at=At.PAYOUT),
    replace(OURS, at=At.FINISHED, is_settled=True),
    replace(OURS, at=At.FINISHED, is_settled=True, is_clean=True),
    replace(OURS, at=At.CANCELLED),
    replace(OURS, at=At.CANCELLED, is_settled=True),
    replace(OURS, at=At.CANCELLED, is_settled=True, is_clean=True),
    replace(OURS, at=At.FAILED),
    replace(OURS, at=At.ERRORED, why="lost"),
    replace(OURS, at=At.ERRORED, why="lost", is_clean=True),
    replace(DEALT, at=At.IGNORED, why="gone"),
    replace(DEALT, at=At.IGNORED, why="gone", is_clean=True),
)


def label(state: Sale) -> str:
    name = state.at.value.removeprefix("Sale")
    if state.at is At.PREPARING and state.look_at:
        return f"{name}, too early"
    if state.is_clean:
        return f"{name}, clean"
    if state.is_settled and state.at is At.CANCELLED:
        return f"{name}, settled"
    return name


def seen(
    request: RequestState, slot: SlotState, is_ours: bool = False, is_rewound: bool = False
) -> Seen:
    return Seen(request, slot, is_ours, EXPIRY - 20, END, is_rewound)


_NEW, _STARTED = RequestState.NEW, RequestState.STARTED
EVENTS = {
    "request cancelled": seen(RequestState.CANCELLED, SlotState.CANCELLED, True),
    "request failed": seen(RequestState.FAILED, SlotState.FAILED, True),
    "request finished": seen(RequestState.FINISHED, SlotState.FINISHED, True),
    "slot paid": seen(RequestState.FINISHED, SlotState.PAID, True),
    "slot filled by us": seen(_STARTED, SlotState.FILLED, True),
    "slot filled by another": seen(_STARTED, SlotState.FILLED),
    "slot free": seen(_NEW, SlotState.FREE),
    "slot in repair": seen(_STARTED, SlotState.REPAIR),
    "slot in repair, chain rewound": seen(_STARTED, SlotState.REPAIR, is_rewound=True),
    "Changed": Changed(),
    "Later": Later(EXPIRY - 10, "not yet"),
    "Prepared": Prepared(DEAL, OFFER),
    "GivenUp": GivenUp("another was first"),
    "Reserved": Reserved(),
    "Unreserved": Unreserved(),
    "Downloaded": Downloaded(),
    "Proved": Proved(PROOF, EXPIRY - 30),
    "Stale": Stale("refused"),
    "Filled": Filled(EXPIRY - 15),
    "Kept": Kept(),
    "Alarm": Alarm("at risk"),
    "TakenBack": TakenBack(500, 102_400),
    "Cleaned": Cleaned(),
    "TimedOut": TimedOut(),
    "Failed": Failed(Look(), ChainError("no")),
    "Failed: too few tokens": Failed(Look(), InsufficientFunds("no tokens")),
}
PAGE = Page(
    "A sale",
    SaleMachine(),
    "What `quire.market.sale` does for one slot, in the states of the reference's API (without the "
    "prefix `Sale`). What the chain says (`Seen`) is listed by what it means.",
    label,
    STATES,
    EVENTS,
)
