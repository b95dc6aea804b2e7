"""What happens to a link. Who performs an effect turns errors of the peer into NoAnswer, codes
other than OK into Refused, and leaves all others to the runner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from quire.point.link_effects import PeerEffect
from quire.point.values import Code, Receipt, SignedOffer


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The peer did not answer `effect`, or cannot be reached (PeerSilent, PeerGone, ...). `now`:
    chain time."""

    effect: PeerEffect
    why: str = ""
    now: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """The peer answered `effect` with another code than OK. `now`: chain time; `retry_after` in
    seconds, for BUSY; `index`: the block that does not fit (BAD_HASH); `have`: bitmap
    (INCOMPLETE)."""

    effect: PeerEffect
    code: Code
    text: str = ""
    retry_after: float = 0.0
    index: int = 0
    have: bytes = b""
    now: int = 0


@dataclass(frozen=True, slots=True)
class Offered:
    """The offer as it is now; its signatures are checked."""

    offer: SignedOffer


@dataclass(frozen=True, slots=True)
class Reserved:
    """There is room for us at the provider."""


@dataclass(frozen=True, slots=True)
class Room:
    """What the channel can promise, in tokens."""

    tokens: int


@dataclass(frozen=True, slots=True)
class Funded:
    """The channel has the room that was asked for."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """The digest of the tree CID of the sealed blocks, 32 bytes."""

    root: bytes


@dataclass(frozen=True, slots=True)
class SlotTaken:
    pass


@dataclass(frozen=True, slots=True)
class SlotLeft:
    pass


@dataclass(frozen=True, slots=True)
class Mapped:
    """The provider knows the map and says which blocks it has, these and no others (also as the
    answer to StatusReq)."""

    have: bytes


@dataclass(frozen=True, slots=True)
class Acked:
    """It has these blocks, too."""

    have: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """A receipt that was not compared with anything yet; `now`: chain time."""

    receipt: Receipt
    now: int


@dataclass(frozen=True, slots=True)
class Audited:
    """Its blocks verify, or not. `draw` from [0, 1) spreads the audits."""

    passed: bool
    now: int
    draw: float = 0.5
    why: str = ""


@dataclass(frozen=True, slots=True)
class Paid:
    """The provider accepted the voucher; `now`: chain time, `voucher_sum`: what it says."""

    number: int
    voucher_sum: int
    now: int
    draw: float = 0.5


@dataclass(frozen=True, slots=True)
class Now:
    """The time of the chain."""

    now: int


@dataclass(frozen=True, slots=True)
class Retry:
    """Something changed (tokens were deposited): a pause ends now."""


@dataclass(frozen=True, slots=True)
class Extend:
    """The owner wants it until `wanted_until`, if that is later, or renewed from then on."""

    wanted_until: int
    is_autorenewed: bool


@dataclass(frozen=True, slots=True)
class Release:
    """The owner does not want it any more."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing is left to do about it."""


LinkEvent: TypeAlias = (
    NoAnswer
    | Refused
    | Offered
    | Reserved
    | Room
    | Funded
    | Sealed
    | SlotTaken
    | SlotLeft
    | Mapped
    | Acked
    | Signed
    | Audited
    | Paid
    | Now
    | Retry
    | Extend
    | Release
    | Closed
)
