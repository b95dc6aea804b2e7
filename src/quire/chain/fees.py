"""What a transaction offers to pay per gas, in wei.

With EIP-1559 the offer is `2 * base fee + tip`, of which only base fee and tip are paid; so
five full blocks in a row cannot make it too low. A replacement must pay at least 10 % more in both
parts to be taken by nodes; it pays an eighth more, or what the chain asks by now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

GWEI = 10**9
REPLACEMENT_DIVISOR = 8


@dataclass(frozen=True, slots=True)
class DynamicFees:
    """Of a transaction of type 2 (EIP-1559)."""

    max_fee: int
    max_priority_fee: int

    @property
    def most(self) -> int:
        return self.max_fee


@dataclass(frozen=True, slots=True)
class LegacyFees:
    gas_price: int

    @property
    def most(self) -> int:
        return self.gas_price


Fees: TypeAlias = DynamicFees | LegacyFees


@dataclass(frozen=True, slots=True)
class FeeSettings:
    """`max_priority_fee`: the tip for each gas. `max_fee`: no transaction offers more per gas,
    however long it is not taken."""

    max_priority_fee: int = GWEI
    max_fee: int = 1000 * GWEI


def first_fees(settings: FeeSettings, base_fee: int | None, gas_price: int) -> Fees:
    """The first offer, where the newest block has this base fee; `gas_price` is what the node
    suggests on a chain without one."""
    if base_fee is None:
        return LegacyFees(min(gas_price, settings.max_fee))
    max_fee = min(2 * base_fee + settings.max_priority_fee, settings.max_fee)
    return DynamicFees(max_fee, min(settings.max_priority_fee, max_fee))


def higher_fees(old: Fees, now: Fees, settings: FeeSettings) -> Fees | None:
    """The offer of a replacement; None where it would be more than `max_fee`."""
    if isinstance(old, DynamicFees) and isinstance(now, DynamicFees):
        fees: Fees = DynamicFees(
            max(_raised(old.max_fee), now.max_fee),
            max(_raised(old.max_priority_fee), now.max_priority_fee),
        )
    else:
        fees = LegacyFees(max(_raised(old.most), now.most))
    return fees if fees.most <= settings.max_fee else None


def _raised(fee: int) -> int:
    return fee + max(1, -(-fee // REPLACEMENT_DIVISOR))
