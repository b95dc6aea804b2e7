"""What the marketplace contract speaks of. Field order is ABI order.

Source   market.md 1.1, 2.1
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

Address: TypeAlias = bytes  # 20 bytes
RequestId: TypeAlias = bytes  # 32 bytes
SlotId: TypeAlias = bytes  # 32 bytes

ADDRESS_BYTES = 20
ID_BYTES = 32
NO_ADDRESS = bytes(ADDRESS_BYTES)


class RequestState(IntEnum):
    NEW = 0
    STARTED = 1
    CANCELLED = 2
    FINISHED = 3
    FAILED = 4


class SlotState(IntEnum):
    FREE = 0
    FILLED = 1
    FINISHED = 2
    FAILED = 3
    PAID = 4
    CANCELLED = 5
    REPAIR = 6


@dataclass(frozen=True, slots=True)
class Ask:
    """What a client wants of each slot, and pays for it. Sizes in bytes, durations in seconds,
    prices in the smallest unit of the token."""

    proof_probability: int  # on average one proof in so many periods
    price_per_byte_per_second: int
    collateral_per_byte: int
    slots: int
    slot_size: int
    duration: int
    max_slot_loss: int

    @property
    def price_per_slot_per_second(self) -> int:
        return self.price_per_byte_per_second * self.slot_size

    @property
    def collateral_per_slot(self) -> int:
        return self.collateral_per_byte * self.slot_size

    @property
    def price_per_day(self) -> int:
        """Of all slots."""
        return self.slots * 86_400 * self.price_per_slot_per_second

    @property
    def max_price(self) -> int:
        """What the client pays when every slot is filled at once."""
        return self.slots * self.duration * self.price_per_slot_per_second


@dataclass(frozen=True, slots=True)
class Content:
    cid: bytes  # binary CID of the verifiable manifest
    merkle_root: bytes  # its verification root, 32 bytes, little endian


@dataclass(frozen=True, slots=True)
class StorageRequest:
    client: Address
    ask: Ask
    content: Content
    expiry: int  # seconds from its creation in which every slot has to be filled
    nonce: bytes  # 32 bytes
