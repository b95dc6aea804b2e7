"""One slot that this host sells: where it stands, what happens to it, what is to be done.

    Preparing ─► SlotReserving ─► Downloading ─► InitialProving ─► Filling ─► Filled ─► Proving
        ▲             │                               ▲               │                    │
        └─ too early ─┘                               └─── stale ─────┘                 Payout
                                                                                           │
    Ignored (another was first, or we cannot) · Errored · Cancelled · Failed           Finished

The names are those of the reference. An end is over when its clean-up is: until then it has a
deadline like any other state, and a restart goes on with it.

Source   market.md 4.3
Read next   sale_machine.py, the steps between these states
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from quire.chain.values import RequestId, RequestState, SlotId, SlotState, StorageRequest


class At(StrEnum):
    """Where a sale stands; the values are what the API of the reference says."""

    UNKNOWN = "SaleUnknown"
    PREPARING = "SalePreparing"
    SLOT_RESERVING = "SaleSlotReserving"
    DOWNLOADING = "SaleDownloading"
    INITIAL_PROVING = "SaleInitialProving"
    FILLING = "SaleFilling"
    FILLED = "SaleFilled"
    PROVING = "SaleProving"
    PAYOUT = "SalePayout"
    FINISHED = "SaleFinished"
    CANCELLED = "SaleCancelled"
    FAILED = "SaleFailed"
    ERRORED = "SaleErrored"
    IGNORED = "SaleIgnored"


BEFORE_FILL = (
    At.PREPARING,
    At.SLOT_RESERVING,
    At.DOWNLOADING,
    At.INITIAL_PROVING,
    At.FILLING,
)
HELD = (At.FILLED, At.PROVING, At.PAYOUT)  # the slot is ours
ENDS = (At.FINISHED, At.CANCELLED, At.ERRORED, At.IGNORED)
CLOSING = (*ENDS, At.FAILED)  # the slot is not ours any more, or will not be


@dataclass(frozen=True, slots=True)
class Deal:
    """What the request says of the slot. Times in unix seconds of the chain, money in the smallest
    unit."""

    cid: bytes  # binary CID of the verifiable manifest
    size: int  # bytes, padded
    collateral: int  # in full, without discount
    rate: int  # what the slot earns in a second
    expiry: int  # by then every slot has to be filled
    end: int
    is_repair: bool = False  # somebody held the slot before
    is_started: bool = False

    @classmethod
    def of(
        cls,
        request: StorageRequest,
        expiry: int,
        end: int,
        *,
        is_repair: bool = False,
        is_started: bool = False,
    ) -> Deal:
        ask = request.ask
        return cls(
            request.content.cid,
            ask.slot_size,
            ask.collateral_per_slot,
            ask.price_per_slot_per_second,
            expiry,
            end,
            is_repair,
            is_started,
        )

    @property
    def fill_by(self) -> int:
        """After this second the slot cannot be filled any more."""
        return self.end if self.is_started else self.expiry


@dataclass(frozen=True, slots=True)
class Sale:
    """One slot of one request.

    offer       the availability that its bytes and its collateral come from; empty: none
    look_at     when the chain is asked again, where that is later than the deal says
    proof_until  unix seconds until which `proof` is good
    is_staked   our collateral is, or was, in the contract
    attempts    of filling, in this sale
    is_settled  what the contract owed us is taken back
    is_again    an end that hands the slot back to the queue; `look_at`: not before then
    is_clean    an end whose data, bytes and collateral are given back
    """

    request_id: RequestId
    slot_index: int
    slot_id: SlotId
    at: At = At.PREPARING
    why: str = ""
    deal: Deal | None = None
    offer: bytes = b""
    look_at: int = 0
    proof: bytes = b""
    proof_until: int = 0
    filled_at: int = 0
    attempts: int = 0
    payout: int = 0
    returned: int = 0  # of the collateral
    is_staked: bool = False
    is_settled: bool = False
    is_again: bool = False
    is_clean: bool = False

    @property
    def has_ended(self) -> bool:
        return self.at in ENDS and self.is_clean

    @property
    def lost(self) -> int:
        """Tokens of the collateral that did not come back, once that is known."""
        if self.deal is None or not self.is_staked or self.at not in ENDS:
            return 0
        return max(0, self.deal.collateral - self.returned)


# ---- what happens ----


@dataclass(frozen=True, slots=True)
class Changed:
    """Something happened on the chain that may concern it: read again what is true."""

    is_rewound: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What the chain says, as of the next block. `is_ours`: this account is the slot's host.
    `filled_at`: since when, where that was to be asked; 0: it was not, or nobody knows."""

    request_state: RequestState
    slot_state: SlotState
    is_ours: bool
    now: int
    end: int
    is_rewound: bool = False
    filled_at: int = 0

    @property
    def is_filled_by_us(self) -> bool:
        return self.is_ours and self.slot_state == SlotState.FILLED


@dataclass(frozen=True, slots=True)
class Later:
    """The slot may be reserved from `at` on, and not earlier."""

    at: int
    why: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """The slot is for sale, and an availability has room for it."""

    deal: Deal
    offer: bytes


@dataclass(frozen=True, slots=True)
class GivenUp:
    """It cannot be ours. `is_again`: the queue may offer it again, from `at` on."""

    why: str
    is_again: bool = False
    at: int = 0


@dataclass(frozen=True, slots=True)
class Reserved:
    pass


@dataclass(frozen=True, slots=True)
class Unreserved:
    """The contract does not know our reservation any more."""


@dataclass(frozen=True, slots=True)
class Downloaded:
    pass


@dataclass(frozen=True, slots=True)
class Proved:
    """256 bytes that the contract accepts until `until`."""

    proof: bytes
    until: int


@dataclass(frozen=True, slots=True)
class Stale:
    """The proof is not accepted (any more): another is needed."""

    why: str
    counts: bool = True  # as an attempt


@dataclass(frozen=True, slots=True)
class Filled:
    """We hold the slot since `at`."""

    at: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Its data is here and held until the end."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """The proving service says how the slot stands; `why` in words."""

    why: str


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Payout and collateral were paid to us."""

    payout: int
    returned: int


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Nothing is left of it here but what it says."""


SaleEvent: TypeAlias = (
    Changed
    | Seen
    | Later
    | Prepared
    | GivenUp
    | Reserved
    | Unreserved
    | Downloaded
    | Proved
    | Stale
    | Filled
    | Kept
    | Alarm
    | TakenBack
    | Cleaned
)


# ---- what is to be done: each looks first whether it is done already ----


@dataclass(frozen=True, slots=True)
class Look:
    """Read request and slot from the chain -> Seen."""

    is_rewound: bool = False


@dataclass(frozen=True, slots=True)
class Prepare:
    """Is it for sale, is there room -> Prepared, Later, GivenUp."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """-> Reserved, Later, GivenUp. `is_resumed`: it may be reserved by us already."""

    is_resumed: bool = False


@dataclass(frozen=True, slots=True)
class Download:
    """Fetch the slot, or compute it from others -> Downloaded."""


@dataclass(frozen=True, slots=True)
class Prove:
    """Wait for a safe moment, and prove -> Proved."""


@dataclass(frozen=True, slots=True)
class Fill:
    """-> Filled, GivenUp, Stale, Unreserved."""


@dataclass(frozen=True, slots=True)
class Keep:
    """See that the data is here, and held until the end -> Kept."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Have every period of the slot proved, from now on."""


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Take payout and collateral out of the contract -> TakenBack."""


@dataclass(frozen=True, slots=True)
class CleanUp:
    """Drop the data -> Cleaned."""


SaleEffect: TypeAlias = (
    Look | Prepare | Reserve | Download | Prove | Fill | Keep | Watch | TakeBack | CleanUp
)
