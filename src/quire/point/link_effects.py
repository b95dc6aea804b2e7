"""What a link wants done. Each may be done twice: it looks first whether it is done already.

`pause`: seconds to wait before. Arrows name the events that follow (link_events.py). What does not
depend on the peer raises its own errors: the runner repeats or reports them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from quire.point.choice_port import Outcome


@dataclass(frozen=True, slots=True)
class AskOffer:
    """Its offer of now (drop the cached one first) -> Offered, NoAnswer, Refused."""

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Reserve:
    """StoreReq under `state.offer`, until `order.expires_at` -> Reserved, Refused, NoAnswer."""

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """What the channel to the payee can still promise -> Room."""


@dataclass(frozen=True, slots=True)
class Fund:
    """Have room for `amount` in the channel (`Payments.fund`) -> Funded."""

    amount: int


@dataclass(frozen=True, slots=True)
class Seal:
    """Compute the tree over the sealed blocks -> Sealed."""


@dataclass(frozen=True, slots=True)
class TakeSlot:
    """Wait for a place among those that send (few for each provider, and in all) -> SlotTaken."""


@dataclass(frozen=True, slots=True)
class SendMap:
    """SegmentMap -> Mapped, Refused (ALREADY_STORED too), NoAnswer."""

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class SendData:
    """Ask what it has (StatusReq, posts Mapped) when it is begun anew, send what `state.acked`
    lacks, post Acked on the way (every 64 or second) -> Acked (the last), Refused, NoAnswer."""

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class LeaveSlot:
    """Give the place among those that send to another link -> SlotLeft."""


@dataclass(frozen=True, slots=True)
class AskSignature:
    """SignReq -> Signed, Refused (INCOMPLETE with `have`), NoAnswer."""

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Pay:
    """Promise and hand over bill `number` (`Payments.pay`, by its key) -> Paid, NoAnswer."""

    number: int
    amount: int
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Audit:
    """Ask for random blocks and verify them -> Audited, Refused, NoAnswer."""

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class AskRenewal:
    """RenewReq until `state.renewal.expires_at` under its offer -> Signed, Refused, NoAnswer."""

    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class ReadClock:
    """The time of the chain -> Now."""


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the choice of providers. Leads to nothing."""

    outcome: Outcome
    why: str = ""


@dataclass(frozen=True, slots=True)
class Close:
    """The link has ended: leave the slot, tell the provider (Release, best effort) and the choice
    (`state.outcome`), forget its bills -> Closed."""


# What the peer answers, or does not.
PeerEffect: TypeAlias = (
    AskOffer | Reserve | SendMap | SendData | AskSignature | Pay | Audit | AskRenewal
)
LinkEffect: TypeAlias = (
    PeerEffect | Look | Fund | Seal | TakeSlot | LeaveSlot | ReadClock | Report | Close
)
