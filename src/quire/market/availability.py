"""What a host offers: space, with the least price, the longest time, the collateral it may stake.

Source   content.md 6.7, market.md 4.5
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import msgspec

from quire.base.errors import BadEncoding, BadOffer
from quire.chain.values import ID_BYTES, Ask

FORMAT = 1
SIZE_MAX = (1 << 63) - 1  # what the API can tell as a number
_ENDLESS = 1 << 256


@dataclass(frozen=True, slots=True)
class Availability:
    """Sizes in bytes, durations in seconds, prices in the smallest unit of the token.

    duration  the longest contract that it is for
    until     unix seconds of the chain by which a contract has to end; 0: any time
    """

    id: bytes  # 32 bytes
    total_size: int
    duration: int
    min_price_per_byte_per_second: int
    total_collateral: int
    is_enabled: bool = True
    until: int = 0

    def check(self) -> None:
        """Raise BadOffer, in the words of the reference, unless it can be offered."""
        if self.total_size <= 0:
            raise BadOffer("Total size must be larger then zero")
        if self.duration <= 0:
            raise BadOffer("duration must be larger then zero")
        if self.min_price_per_byte_per_second <= 0:
            raise BadOffer("minPricePerBytePerSecond must be larger then zero")
        if self.total_collateral <= 0:
            raise BadOffer("totalCollateral must be larger then zero")
        if self.until < 0:
            raise BadOffer("Cannot set until to a negative value")
        if self.total_size > SIZE_MAX or self.duration > SIZE_MAX or self.until > SIZE_MAX:
            raise BadOffer(f"no size, duration or time above {SIZE_MAX} can be offered")
        if max(self.min_price_per_byte_per_second, self.total_collateral) >= _ENDLESS:
            raise BadOffer("no amount of 2^256 or more can be offered")

    def changed(self, change: Change) -> Availability:
        """With what is not None in the change; not checked."""
        given = {
            field.name: value
            for field in fields(change)
            if (value := getattr(change, field.name)) is not None
        }
        return replace(self, **given)

    def narrowed(self, other: Availability) -> Availability:
        """With no more space and collateral than another."""
        return replace(
            self,
            total_size=min(self.total_size, other.total_size),
            total_collateral=min(self.total_collateral, other.total_collateral),
        )

    def less(self, lost: int) -> Availability:
        """With a collateral that is less by what was lost."""
        return replace(self, total_collateral=self.total_collateral - lost)

    def takes_more_than(self, old: Availability) -> bool:
        """Whether slots may fit that did not fit before a change."""
        return self.is_enabled and (
            not old.is_enabled
            or self.total_size > old.total_size
            or self.duration > old.duration
            or self.min_price_per_byte_per_second < old.min_price_per_byte_per_second
            or self.total_collateral > old.total_collateral
            or (old.until != 0 and (self.until == 0 or self.until > old.until))
        )

    def suits(self, ask: Ask, end: int) -> str:
        """Why a slot is not for this offer whatever is free of it; "" when it is."""
        if not self.is_enabled:
            return "the offer is switched off"
        if ask.duration > self.duration:
            return f"it lasts {ask.duration} s, the offer is for {self.duration} s at most"
        if ask.price_per_byte_per_second < self.min_price_per_byte_per_second:
            return (
                f"it pays {ask.price_per_byte_per_second} for a byte and second, the offer asks "
                f"{self.min_price_per_byte_per_second}"
            )
        if self.until and self.until < end:
            return f"it ends {end - self.until} s after the offer does"
        return ""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be different about an offer; None: as it was."""

    total_size: int | None = None
    duration: int | None = None
    min_price_per_byte_per_second: int | None = None
    total_collateral: int | None = None
    is_enabled: bool | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class _Record:
    format: int
    availability: Availability


def encode_availability(availability: Availability) -> bytes:
    return msgspec.json.encode(_Record(FORMAT, availability))


def decode_availability(data: bytes) -> Availability:
    """What `encode_availability` was given. Raises BadEncoding."""
    try:
        record = msgspec.json.decode(data, type=_Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEncoding(f"the record of an offer cannot be read: {error}") from None
    if record.format != FORMAT:
        raise BadEncoding(f"the record of an offer has format {record.format}, known is {FORMAT}")
    if len(record.availability.id) != ID_BYTES:
        raise BadEncoding(f"the record of an offer has an id of other than {ID_BYTES} bytes")
    found = record.availability
    if found.total_collateral < 0:
        raise BadEncoding("the record of an offer has a collateral below nothing")
    try:  # losses may have eaten all of the collateral that it had when it was made
        replace(found, total_collateral=found.total_collateral or 1).check()
    except BadOffer as error:
        raise BadEncoding(f"the record of an offer is not one: {error.message}") from None
    return found
