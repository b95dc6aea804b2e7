"""What a deployed marketplace contract was set up with, and what it can do beyond the reference.

Source   market.md 1.1, 1.6, 3.5, 8
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

from quire.chain.values import Address


class Extensions(IntFlag):
    """The bits of `extensions()`; none where the contract does not know the call."""

    DISPERSAL = 1
    LAZY_REPAIR = 2
    BATCH_PROOFS = 4
    REGISTRY = 8
    MARK_MANY = 16
    VAULT = 32


NO_EXTENSIONS = Extensions(0)


@dataclass(frozen=True, slots=True)
class Dispersal:
    """The expanding window (market.md 3.5). `h_bps` 0: open, first come, first served."""

    h_bps: int = 0  # F(1/2) in 1/10000
    tail_bps: int = 500  # the last part of the window, in which everybody may reserve
    ttl: int = 600  # seconds a reservation is sure of its place
    min_age: int = 64  # blocks that a registration must be older than the request
    require_registration: bool = False
    repair_window: int = 600  # seconds of the window of a freed slot, at most


@dataclass(frozen=True, slots=True)
class LazyRepair:
    """When slots that were freed open again (market.md 5.3): as soon as `threshold` of them are
    free, one has waited `max_delay` seconds, or no more than `min_margin` losses are left.
    A threshold of 0 means: max(1, max_slot_loss // 2) from a max_slot_loss of 4 on, else 1."""

    threshold: int = 0
    max_delay: int = 0  # 0: freed slots open at once
    min_margin: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """One contract on one chain. Percentages in whole percent, durations in seconds."""

    chain_id: int
    contract: Address
    token: Address
    repair_reward_percentage: int
    max_slashes: int  # missed proofs that cost a host its slot
    slash_percentage: int  # of the collateral, for each missed proof
    validator_reward_percentage: int  # of what is slashed
    period: int
    timeout: int  # after a period, in which a missing proof can be marked
    downtime: int  # pointers (blocks of 256) for which no proof is asked
    downtime_product: int
    zkey_hash: str  # of the circuit's key, hexadecimal without 0x
    max_reservations: int
    duration_limit: int
    extensions: Extensions = NO_EXTENSIONS
    proof_inputs: int = 3  # public inputs of a proof: 4 where it is bound to its host
    dispersal: Dispersal = Dispersal()
    lazy_repair: LazyRepair = LazyRepair()

    def period_of(self, time: int) -> int:
        return time // self.period

    def period_start(self, period: int) -> int:
        return period * self.period

    def period_end(self, period: int) -> int:
        """The first second after it."""
        return (period + 1) * self.period
