"""What the marketplace contract tells, as values.

Source   market.md 1.3, 3.5, 5.3 (the last four are additions of ours)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from quire.chain.values import Address, Ask, RequestId, SlotId


@dataclass(frozen=True, slots=True)
class StorageRequested:
    request_id: RequestId
    ask: Ask
    expiry: int  # unix seconds


@dataclass(frozen=True, slots=True)
class RequestFulfilled:
    request_id: RequestId


@dataclass(frozen=True, slots=True)
class RequestFailed:
    request_id: RequestId


@dataclass(frozen=True, slots=True)
class RequestCancelled:
    """The client took its funds back; not told at the moment of expiry."""

    request_id: RequestId


@dataclass(frozen=True, slots=True)
class SlotFilled:
    request_id: RequestId
    slot_index: int


@dataclass(frozen=True, slots=True)
class SlotFreed:
    """The slot can be reserved again."""

    request_id: RequestId
    slot_index: int


@dataclass(frozen=True, slots=True)
class SlotReservationsFull:
    request_id: RequestId
    slot_index: int


@dataclass(frozen=True, slots=True)
class ProofSubmitted:
    slot_id: SlotId


@dataclass(frozen=True, slots=True)
class SlotReserved:
    request_id: RequestId
    slot_index: int
    host: Address
    reservation: int  # its number, from 0 on
    until: int  # unix seconds; afterwards another host may take its place


@dataclass(frozen=True, slots=True)
class SlotEvicted:
    """A host lost the slot. It opens for repair with SlotFreed, at once or later."""

    request_id: RequestId
    slot_index: int


@dataclass(frozen=True, slots=True)
class SeedFixed:
    request_id: RequestId
    seed: bytes


@dataclass(frozen=True, slots=True)
class ProofDelegateSet:
    """A host lets another account submit proofs of its slots, or not any more."""

    host: Address
    delegate: Address
    is_allowed: bool


MarketEvent: TypeAlias = (
    StorageRequested
    | RequestFulfilled
    | RequestFailed
    | RequestCancelled
    | SlotFilled
    | SlotFreed
    | SlotReservationsFull
    | ProofSubmitted
    | SlotReserved
    | SlotEvicted
    | SeedFixed
    | ProofDelegateSet
)
