"""One link: one sealed replica of one chunk at one provider, as the client sees it.

    CREATED ─► AGREED ─► ENCRYPTING ─► ENCRYPTED ─► SENDING_SEGMENT_MAP ─► SENDING_DATA
                │  ▲                                        │                   │
        ESTABLISH_PAYMENT_CHANNEL ◄──────────┐        already stored ──► DATA_RECEIVED
                                             ▼                                  │
    EXPIRED ◄─ RENEWING ◄────► SIGNED ◄── PAYING ◄───── ASKING_FOR_SIGNATURE ◄──┘
                                  └─► LOST           any ─► FAILED, RELEASED

Names of states are those of the seed. Nothing is promised to a provider before its receipt was
checked, a bill is named by its number for ever, and a link that has ended is never begun again.

Source   point.md 6.5
Read next   link_events.py, link_effects.py, link_machine.py: the steps between these states
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from quire.point.billing import Term
from quire.point.choice_port import Outcome
from quire.point.values import BLOCK_BYTES, LinkId, Receipt, SignedOffer


class At(StrEnum):
    CREATED = "CREATED"
    AGREED = "AGREED"
    ESTABLISH_PAYMENT_CHANNEL = "ESTABLISH_PAYMENT_CHANNEL"
    ENCRYPTING = "ENCRYPTING"
    ENCRYPTED = "ENCRYPTED"
    SENDING_SEGMENT_MAP = "SENDING_SEGMENT_MAP"
    SENDING_DATA = "SENDING_DATA"
    DATA_RECEIVED = "DATA_RECEIVED"
    ASKING_FOR_SIGNATURE = "ASKING_FOR_SIGNATURE"
    PAYING = "PAYING"
    SIGNED = "SIGNED"
    RENEWING = "RENEWING"
    FAILED = "FAILED"
    LOST = "LOST"
    EXPIRED = "EXPIRED"
    RELEASED = "RELEASED"


HELD = (At.SIGNED, At.RENEWING)  # it is stored and paid for
ENDS = (At.FAILED, At.LOST, At.EXPIRED, At.RELEASED)


class Upkeep(StrEnum):
    """What goes on beside, while a link is held."""

    IDLE = "idle"
    AUDITING = "auditing"
    PAYING = "paying"
    FUNDING = "funding"


@dataclass(frozen=True, slots=True)
class LinkOrder:
    """What does not change. Bytes are those of the ciphertext, which sealing keeps.

    upload_id    16 bytes, whose file it is
    chunk        index of the chunk in the file
    replica      which replica of the chunk; with the peer and the epoch it makes the seal's key
    begins_at    chain time at which the link was made
    seconds      of the first term, and of each renewal
    budget       most that one term may cost; None: whatever the price
    """

    link_id: LinkId
    upload_id: bytes
    chunk: int
    peer: str
    addresses: tuple[str, ...]
    replica: int
    epoch: int
    first_block: int
    sealed_bytes: int
    begins_at: int
    seconds: int
    budget: int | None = None

    @property
    def blocks(self) -> int:
        return -(-self.sealed_bytes // BLOCK_BYTES)

    @property
    def expires_at(self) -> int:
        """Until when it is kept by the first receipt."""
        return self.begins_at + self.seconds


@dataclass(frozen=True, slots=True)
class Renewal:
    """A renewal under way. `offer`: the terms it is asked for under, once they are known;
    `is_early`: the owner asked for it before its time; `is_refused`: the provider will not, or its
    price is above the budget; `is_signed`: the new receipt is here and its first bill is to be
    paid."""

    expires_at: int
    is_early: bool = False
    offer: SignedOffer | None = None
    attempts: int = 0
    is_refused: bool = False
    is_signed: bool = False


@dataclass(frozen=True, slots=True)
class LinkState:
    """`offer` is what the current term was, or will be, agreed under. `wanted_until`: how long the
    owner wants it (unix seconds of the chain).

    back          where ESTABLISH_PAYMENT_CHANNEL returns to: AGREED, PAYING, or to the map when
                  the provider says that the channel has no room
    attempts      of what is being asked in this state
    setbacks      how often the provider sent us back: to the map, to the data
    sealed_root   digest of the tree over the sealed blocks, b"" before it is computed
    acked         bitmap of the blocks that the provider says it has, LSB first
    bad_blocks    blocks of which it said once that they do not fit the map
    is_offer_stale  the provider says that its price is another
    is_asked_again, is_reserved_again, is_reread   offer, reservation, channel: once each
    must_audit    it said that it has blocks which were not sent: it is audited before it is paid
    is_paused     the wallet has too few tokens
    terms         of the receipts, in order; the last is that of `receipt`
    paid          tokens, for all bills of this link since it began
    audits_failed in a row
    audit_at      chain time of the next audit; look_at: not before then anything is looked at
    outcome       what the provider turned out to be, when the link has ended
    is_closed     nothing is left of it here but what it says
    """

    order: LinkOrder
    offer: SignedOffer
    wanted_until: int
    is_autorenewed: bool
    at: At = At.CREATED
    why: str = ""
    back: At = At.AGREED
    attempts: int = 0
    setbacks: int = 0
    sealed_root: bytes = b""
    acked: bytes = b""
    bad_blocks: tuple[int, ...] = ()
    is_offer_stale: bool = False
    is_asked_again: bool = False
    is_reserved_again: bool = False
    is_reread: bool = False
    must_audit: bool = False
    is_paused: bool = False
    receipt: Receipt | None = None
    terms: tuple[Term, ...] = ()
    paid: int = 0
    voucher_sum: int = 0
    upkeep: Upkeep = Upkeep.IDLE
    audits_failed: int = 0
    audit_at: int = 0
    look_at: int = 0
    renewal: Renewal | None = None
    outcome: Outcome | None = None
    is_closed: bool = False

    @property
    def is_held(self) -> bool:
        """A receipt was given and its first bill paid; the replica counts."""
        return self.at in HELD

    @property
    def is_live(self) -> bool:
        return self.at not in ENDS

    @property
    def expires_at(self) -> int:
        """Of the newest receipt; what is asked for before there is one."""
        return self.receipt.terms.expires_at if self.receipt else self.order.expires_at

    @property
    def acked_count(self) -> int:
        return int.from_bytes(self.acked, "little").bit_count()


def fitted_bitmap(data: bytes, blocks: int) -> bytes:
    """A bitmap of exactly `blocks` bits: what lies beyond is dropped, what is missing is 0."""
    bits = int.from_bytes(data[: (blocks + 7) // 8], "little") & ((1 << blocks) - 1)
    return bits.to_bytes((blocks + 7) // 8, "little")


def missing_blocks(state: LinkState) -> list[int]:
    """Indices, in the chunk, of the blocks that the provider does not have yet."""
    bits = int.from_bytes(state.acked, "little")
    return [index for index in range(state.order.blocks) if not bits >> index & 1]
