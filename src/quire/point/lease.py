"""One replica at its provider: where it stands, what happens to it, what is to be done.

    RESERVED ─► MAPPED ─► RECEIVING ─► COMPLETE ─► STORED ◄─► GRACE ─► DELETED
       └───────────┴──────────┴────────────┴── idle, released ───────────▲

STORED begins with the receipt. GRACE lasts a day: after the end of the term, or since the client
owes for longer than a period; it is renewed or paid, or the replica is deleted. Which blocks are
here is known from the store, not from this record.

Source   point.md 6.5
Read next   lease_machine.py (the steps), lease_answers.py (the codes of the answers)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from quire.chain.values import Address
from quire.formats.replica_codes import LeaseState
from quire.point.billing import Term
from quire.point.values import LinkId, ReceiptTerms, SignedOffer

GRACE_SECONDS = 86400
RECEIVED = (LeaseState.COMPLETE, LeaseState.STORED, LeaseState.GRACE)  # every block was here
SIGNED = (LeaseState.STORED, LeaseState.GRACE)  # there is a receipt


@dataclass(frozen=True, slots=True)
class LeaseOrder:
    """What a client asked for, and under which offer of ours. `expires_at` in seconds of the
    chain; `peer` is the client's."""

    link_id: LinkId
    peer: str
    client: Address
    sealed_bytes: int
    blocks: int
    expires_at: int
    offer: SignedOffer


@dataclass(frozen=True, slots=True)
class Lease:
    """`offer` is that of the newest term.

    root        digest of the tree over the sealed blocks; b"" before the map
    received    blocks that were here when it was last written down
    receipt     what was signed last; the signature is made again from it
    terms       with how much of them was billed
    grace_until  seconds of the chain; 0 outside GRACE
    is_unpaid   in GRACE: because the client owes, not because the term is over
    look_at     chain time when it was last looked at
    """

    order: LeaseOrder
    offer: SignedOffer
    at: LeaseState = LeaseState.RESERVED
    why: str = ""
    root: bytes = b""
    received: int = 0
    receipt: ReceiptTerms | None = None
    terms: tuple[Term, ...] = ()
    grace_until: int = 0
    is_unpaid: bool = False
    look_at: int = 0
    is_closed: bool = False

    @property
    def expires_at(self) -> int:
        """Of the newest receipt; what was asked for before there is one."""
        return self.receipt.expires_at if self.receipt else self.order.expires_at

    @property
    def kept_until(self) -> int:
        """How long its blocks are held: until its grace is over."""
        return self.expires_at + GRACE_SECONDS


# ---- what happens ----


@dataclass(frozen=True, slots=True)
class MapTaken:
    """The digests of the blocks are stored, and make this root."""

    root: bytes


@dataclass(frozen=True, slots=True)
class Progress:
    """So many of its blocks are here, verified and on disk; fewer than before when some were
    lost."""

    received: int


@dataclass(frozen=True, slots=True)
class SignAsked:
    """The client asks for the receipt; `now`: chain time."""

    now: int


@dataclass(frozen=True, slots=True)
class RenewAsked:
    """The client asks for a further term, under a valid offer of ours."""

    expires_at: int
    offer: SignedOffer
    now: int


@dataclass(frozen=True, slots=True)
class Charged:
    """The bill is in the client's account."""

    number: int


@dataclass(frozen=True, slots=True)
class Dues:
    """For how long the client has owed something, in seconds; 0: he owes nothing."""

    overdue_seconds: int
    now: int


@dataclass(frozen=True, slots=True)
class LeaseNow:
    """The time of the chain."""

    now: int


@dataclass(frozen=True, slots=True)
class Lost:
    """Blocks of it cannot be read any more."""

    why: str


@dataclass(frozen=True, slots=True)
class Given:
    """The client does not want it any more."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nothing of it is held any more."""


LeaseEvent: TypeAlias = (
    MapTaken
    | Progress
    | SignAsked
    | RenewAsked
    | Charged
    | Dues
    | LeaseNow
    | Lost
    | Given
    | Dropped
)


# ---- what is to be done: each may be done twice ----


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep its blocks until then (seconds of the chain). Leads to nothing."""

    until: int


@dataclass(frozen=True, slots=True)
class Charge:
    """Write the bill into the client's account (`Income.bill`, by its key) -> Charged."""

    number: int
    amount: int


@dataclass(frozen=True, slots=True)
class CheckDues:
    """For how long the client has owed something -> Dues."""


@dataclass(frozen=True, slots=True)
class LookAtClock:
    """The time of the chain -> LeaseNow."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Give back its space -> Dropped."""


LeaseEffect: TypeAlias = Hold | Charge | CheckDues | LookAtClock | Drop
