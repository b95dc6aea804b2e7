"""What a marketplace contract is set up with, as its constructor takes it.

The defaults are those of the reference for a network without a file of its own (market.md 1.6), and
none of the additions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quire.base.errors import BadConfig
from quire.chain.terms import Dispersal, LazyRepair

OPEN = Dispersal()
EAGER = LazyRepair()
TYPES = [
    "((uint8,uint8,uint8,uint8),(uint64,uint64,uint8,uint8,string),(uint8),uint64)",
    "address",
    "address",
    "((uint16,uint16,uint32,uint32,bool,uint32),(uint8,uint64,uint8),uint256)",
]


@dataclass(frozen=True, slots=True)
class ContractConfig:
    """Percentages in whole percent, durations in seconds, the deposit in the token's unit."""

    repair_reward_percentage: int = 10
    max_slashes: int = 2
    slash_percentage: int = 20
    validator_reward_percentage: int = 20
    period: int = 120
    timeout: int = 30
    downtime: int = 64
    downtime_product: int = 67
    zkey_hash: str = ""
    max_reservations: int = 3
    duration_limit: int = 30 * 86400
    dispersal: Dispersal = OPEN
    lazy_repair: LazyRepair = EAGER
    registration_deposit: int = 0

    def check(self) -> None:
        """Raises BadConfig with the numbers that would work."""
        if self.period < 1:
            raise BadConfig("a period lasts at least 1 second")
        if not 0 < self.timeout <= 1 << 32:
            raise BadConfig("the timeout is at least 1 second, or no miss could ever be marked")
        if not 0 <= self.downtime <= 255:
            raise BadConfig(f"the downtime is {self.downtime} blocks; it is from 0 to 255")
        slashed = self.max_slashes * self.slash_percentage
        if slashed > 100:
            raise BadConfig(
                f"{self.max_slashes} slashes of {self.slash_percentage} % are more than the whole "
                f"collateral; at most {100 // max(1, self.slash_percentage)} slashes fit"
            )
        paid = self.repair_reward_percentage + slashed * self.validator_reward_percentage // 100
        if paid > 100:
            raise BadConfig(
                f"repair and validators would be paid {paid} % of a collateral; lower the repair "
                f"reward to {max(0, 100 - paid + self.repair_reward_percentage)} % at most"
            )

    def values(self, token: bytes, verifier: bytes) -> list[Any]:
        """The constructor's arguments, of TYPES."""
        return [
            (
                (
                    self.repair_reward_percentage,
                    self.max_slashes,
                    self.slash_percentage,
                    self.validator_reward_percentage,
                ),
                (self.period, self.timeout, self.downtime, self.downtime_product, self.zkey_hash),
                (self.max_reservations,),
                self.duration_limit,
            ),
            token,
            verifier,
            (_dispersal(self.dispersal), _lazy(self.lazy_repair), self.registration_deposit),
        ]


def _dispersal(window: Dispersal) -> tuple[Any, ...]:
    return (
        window.h_bps,
        window.tail_bps,
        window.ttl,
        window.min_age,
        window.require_registration,
        window.repair_window,
    )


def _lazy(repair: LazyRepair) -> tuple[int, ...]:
    return (repair.threshold, repair.max_delay, repair.min_margin)
