"""Examples of every state and event of a link."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quire.base.errors import (
    ChannelTooSmall,
    InsufficientFunds,
    IntegrityError,
    PeerLied,
    Reverted,
    VoucherRefused,
)
from quire.base.machine import Failed, TimedOut
from quire.point.billing import Term, cost, first_term, settle
from quire.point.choice_port import Outcome
from quire.point.link import At, LinkState, Renewal, Upkeep
from quire.point.link_effects import (
    AskOffer,
    AskRenewal,
    AskSignature,
    Audit,
    Fund,
    Pay,
    Reserve,
    Seal,
    SendData,
    SendMap,
)
from quire.point.link_events import (
    Acked,
    Audited,
    Closed,
    Extend,
    Funded,
    Mapped,
    NoAnswer,
    Now,
    Offered,
    Paid,
    Refused,
    Release,
    Reserved,
    Retry,
    Room,
    Sealed,
    Signed,
    SlotLeft,
    SlotTaken,
)
from quire.point.link_upkeep import renewal_at
from quire.point.receipt import Receipt
from quire.point.values import Code
from support.link_kit import (
    BLOCKS,
    DAY,
    MACHINE,
    NOW,
    OFFER,
    ROOT,
    SEALED_BYTES,
    SIGNED_OFFER,
    link,
    offered,
    receipt,
)
from support.machine_page import Page

ALL = bytes([(1 << BLOCKS) - 1])
BUDGET = 4 * cost(OFFER, SEALED_BYTES, 2 * DAY)
NEW = link({"budget": BUDGET})
FUNDING = replace(NEW, at=At.ESTABLISH_PAYMENT_CHANNEL)
SEALED = replace(NEW, sealed_root=ROOT)
TERM = first_term(OFFER, SEALED_BYTES, NOW, NOW + 2 * DAY)
RECEIVED = replace(SEALED, acked=ALL)
PROMISED = replace(RECEIVED, receipt=receipt(SEALED), terms=(TERM,))
HELD = replace(
    PROMISED, at=At.SIGNED, terms=settle((TERM,), 0), audit_at=NOW + 3600, look_at=NOW + 10
)
RENEWED_UNTIL = NOW + 4 * DAY
WINDOW = renewal_at(HELD) or 0
RENEWING = replace(HELD, at=At.RENEWING, renewal=Renewal(RENEWED_UNTIL), look_at=WINDOW)
ASKING = replace(RENEWING, renewal=Renewal(RENEWED_UNTIL, offer=SIGNED_OFFER))
FAILED = replace(SEALED, at=At.FAILED, why="REFUSED: no", outcome=Outcome.REFUSED)


def _renewed(state: LinkState) -> Receipt:
    return receipt(state, starts_at=NOW + 2 * DAY, expires_at=RENEWED_UNTIL)


SECOND = Term(NOW + 2 * DAY, RENEWED_UNTIL, WINDOW, TERM.rate, first_bill=1 << 20)
LABELLED: dict[str, LinkState] = {
    "CREATED": NEW,
    "CREATED, offer stale": replace(NEW, is_offer_stale=True, is_asked_again=True),
    "AGREED": replace(NEW, at=At.AGREED),
    "ESTABLISH_PAYMENT_CHANNEL, from AGREED": FUNDING,
    "ESTABLISH_PAYMENT_CHANNEL, paused": replace(
        NEW, at=At.ESTABLISH_PAYMENT_CHANNEL, is_paused=True
    ),
    "ESTABLISH_PAYMENT_CHANNEL, from the map": replace(
        SEALED, at=At.ESTABLISH_PAYMENT_CHANNEL, back=At.SENDING_SEGMENT_MAP, setbacks=1
    ),
    "ESTABLISH_PAYMENT_CHANNEL, from PAYING": replace(
        PROMISED, at=At.ESTABLISH_PAYMENT_CHANNEL, back=At.PAYING
    ),
    "ENCRYPTING": replace(NEW, at=At.ENCRYPTING),
    "ENCRYPTED": replace(SEALED, at=At.ENCRYPTED),
    "SENDING_SEGMENT_MAP": replace(SEALED, at=At.SENDING_SEGMENT_MAP),
    "SENDING_DATA": replace(SEALED, at=At.SENDING_DATA, acked=b"\x03"),
    "SENDING_DATA, one bad": replace(SEALED, at=At.SENDING_DATA, acked=b"\x03", bad_blocks=(2,)),
    "DATA_RECEIVED": replace(RECEIVED, at=At.DATA_RECEIVED),
    "DATA_RECEIVED, to be audited": replace(RECEIVED, at=At.DATA_RECEIVED, must_audit=True),
    "ASKING_FOR_SIGNATURE": replace(RECEIVED, at=At.ASKING_FOR_SIGNATURE),
    "PAYING": replace(PROMISED, at=At.PAYING),
    "PAYING, channel read again": replace(PROMISED, at=At.PAYING, is_reread=True),
    "SIGNED": HELD,
    "SIGNED, being audited": replace(HELD, upkeep=Upkeep.AUDITING, look_at=NOW + DAY),
    "SIGNED, two audits failed": replace(
        HELD, upkeep=Upkeep.AUDITING, audits_failed=2, look_at=NOW + DAY
    ),
    "SIGNED, paying": replace(HELD, upkeep=Upkeep.PAYING, look_at=NOW + DAY),
    "SIGNED, funding": replace(HELD, upkeep=Upkeep.FUNDING, look_at=NOW + DAY),
    "SIGNED, without funds": replace(HELD, is_paused=True, why="FUNDS: none", look_at=NOW + DAY),
    "RENEWING": RENEWING,
    "RENEWING, offer known": ASKING,
    "RENEWING, early": replace(
        HELD,
        at=At.RENEWING,
        wanted_until=RENEWED_UNTIL,
        renewal=Renewal(RENEWED_UNTIL, is_early=True, offer=SIGNED_OFFER),
    ),
    "RENEWING, refused": replace(RENEWING, renewal=Renewal(RENEWED_UNTIL, is_refused=True)),
    "RENEWING, signed": replace(
        ASKING,
        receipt=_renewed(HELD),
        terms=(*HELD.terms, SECOND),
        upkeep=Upkeep.PAYING,
        renewal=Renewal(RENEWED_UNTIL, offer=SIGNED_OFFER, is_signed=True),
    ),
    "FAILED": FAILED,
    "FAILED, closed": replace(FAILED, is_closed=True),
    "LOST": replace(HELD, at=At.LOST, why="lost", outcome=Outcome.LOST),
    "EXPIRED": replace(HELD, at=At.EXPIRED, why="its term is over"),
    "RELEASED": replace(HELD, at=At.RELEASED, why="given up by its owner"),
}
_NAMES = [(state, name) for name, state in LABELLED.items()]


def label(state: LinkState) -> str:
    """That of the example, or of the state that a step made."""
    return next((name for other, name in _NAMES if other == state), state.at.value)


_ASKED = (
    AskOffer(), Reserve(), SendMap(), SendData(), AskSignature(), Pay(0, 1), Audit(), AskRenewal(),
)  # fmt: skip
EVENTS: dict[str, Any] = {
    "Offered": Offered(SIGNED_OFFER),
    "Offered, dearer": Offered(offered(price_byte_second=10**9)),
    "Reserved": Reserved(),
    "Room, enough": Room(1 << 90),
    "Room, too little": Room(0),
    "Funded": Funded(),
    "Sealed": Sealed(ROOT),
    "SlotTaken": SlotTaken(),
    "Mapped, nothing": Mapped(b""),
    "Mapped, everything": Mapped(ALL),
    "Acked, some": Acked(b"\x07"),
    "Acked, all": Acked(ALL),
    "SlotLeft": SlotLeft(),
    "Signed, right": Signed(receipt(SEALED), NOW + 60),
    "Signed, other root": Signed(receipt(SEALED, sealed_root=b"\x98" * 32), NOW + 60),
    "Signed, further term": Signed(_renewed(SEALED), WINDOW + 60),
    "Audited, passed": Audited(True, NOW + DAY + 1),
    "Audited, not passed": Audited(False, NOW + DAY + 1, why="another block"),
    "Paid, first": Paid(0, 10**9, NOW + 70),
    "Paid, second": Paid(1, 10**10, NOW + DAY + 2),
    "Paid, of the further term": Paid(1 << 20, 10**11, WINDOW + 70),
    "Now, early": Now(NOW + 20),
    "Now, time for an audit": Now(NOW + 3600),
    "Now, time to renew": Now(WINDOW),
    "Now, over": Now(NOW + 5 * DAY),
    "Retry": Retry(),
    "Extend": Extend(NOW + 3 * DAY, False),
    "Release": Release(),
    "Closed": Closed(),
    "TimedOut": TimedOut(),
    **{f"NoAnswer to {type(each).__name__}": NoAnswer(each, "silence") for each in _ASKED},
    **{f"BUSY to {type(each).__name__}": Refused(each, Code.BUSY) for each in _ASKED},
    "REFUSED to Reserve": Refused(Reserve(), Code.REFUSED),
    "NO_SPACE to Reserve": Refused(Reserve(), Code.NO_SPACE),
    "PRICE to Reserve": Refused(Reserve(), Code.PRICE),
    "CONFLICT to SendMap": Refused(SendMap(), Code.CONFLICT),
    "BAD_MAP to SendMap": Refused(SendMap(), Code.BAD_MAP),
    "ALREADY_STORED to SendMap": Refused(SendMap(), Code.ALREADY_STORED),
    "PAYMENT_REQUIRED to SendMap": Refused(SendMap(), Code.PAYMENT_REQUIRED),
    "UNKNOWN_LINK to SendMap": Refused(SendMap(), Code.UNKNOWN_LINK),
    "UNKNOWN_LINK to SendData": Refused(SendData(), Code.UNKNOWN_LINK),
    "BAD_HASH to SendData": Refused(SendData(), Code.BAD_HASH, index=2),
    "NOT_FOUND to SendData": Refused(SendData(), Code.NOT_FOUND),
    "UNKNOWN_LINK to AskSignature": Refused(AskSignature(), Code.UNKNOWN_LINK),
    "INCOMPLETE to AskSignature": Refused(AskSignature(), Code.INCOMPLETE, have=b"\x0f"),
    "NOT_FOUND to AskSignature": Refused(AskSignature(), Code.NOT_FOUND),
    "EXPIRED to AskSignature": Refused(AskSignature(), Code.EXPIRED),
    "BAD_VOUCHER to Pay": Refused(Pay(0, 1), Code.BAD_VOUCHER),
    "OVERDRAWN to Pay": Refused(Pay(0, 1), Code.OVERDRAWN),
    "NOT_FOUND to Audit": Refused(Audit(), Code.NOT_FOUND, now=NOW + DAY + 1),
    "LOST to Audit": Refused(Audit(), Code.LOST, now=NOW + DAY + 1),
    "INTERNAL to Audit": Refused(Audit(), Code.INTERNAL, now=NOW + DAY + 1),
    "PRICE to AskRenewal": Refused(AskRenewal(), Code.PRICE),
    "REFUSED to AskRenewal": Refused(AskRenewal(), Code.REFUSED),
    "Failed Fund: too few tokens": Failed(Fund(1), InsufficientFunds("the wallet is empty")),
    "Failed Fund: reverted": Failed(Fund(1), Reverted("no")),
    "Failed Pay: channel too small": Failed(Pay(0, 1), ChannelTooSmall("no room")),
    "Failed Pay: voucher refused": Failed(Pay(0, 1), VoucherRefused("no")),
    "Failed Seal": Failed(Seal(), IntegrityError("a block is damaged")),
    "Failed Audit: it lied": Failed(Audit(), PeerLied("another block")),
    "Failed AskRenewal": Failed(AskRenewal(), PeerLied("nonsense")),
}
PAGE = Page(
    "A link",
    MACHINE,
    "What `quire.point.link` does for one sealed replica of one chunk at one provider, from the "
    "client's side. Names of states are those of the seed; what they mean, how often each question "
    "is asked and how long each state may last is in [link-machine](../reference/link-machine.md).",
    label,
    tuple(LABELLED.values()),
    EVENTS,
)
