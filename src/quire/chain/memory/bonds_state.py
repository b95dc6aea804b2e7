"""What the contract of bonds remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from quire.chain.bonds import Bond, Promise
from quire.chain.values import Address, SlotId

Missed: TypeAlias = tuple[Address, Address, SlotId, int]


def missed_of(promise: Promise) -> Missed:
    """What can be claimed once only."""
    return promise.aggregator, promise.host, promise.slot_id, promise.period


@dataclass(slots=True)
class BondsState:
    """As all of `State`, a copy of it is a copy of a few tables."""

    bonds: dict[Address, Bond] = field(default_factory=dict)
    claimed: set[Missed] = field(default_factory=set)

    def copy(self) -> BondsState:
        return BondsState(dict(self.bonds), set(self.claimed))

    @property
    def owed(self) -> int:
        """All that the contract has to have."""
        return sum(bond.amount for bond in self.bonds.values())
