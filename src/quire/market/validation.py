"""Which slots a validator looks after, and when it marks what is missing.

    period k ........ | end < block's time < end + timeout |       only these blocks mark period k
                        ^ all marks belong into the first

Validators can share the slots (groups) or race for them; who was beaten to it waits a drawn number
of blocks next time, another one for each slot and period, so that not all pay for the same mark.

Source   market.md 2.9, 4.6
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from quire.base.errors import InputError
from quire.chain.terms import Terms
from quire.chain.values import Address, SlotId
from quire.kernels.keccak import keccak256

GROUPS_MIN, GROUPS_MAX = 2, 65_535
GROUP_BYTES = 8  # of the slot id, big-endian
SLOTS_DEFAULT = 1000
SPREAD_MAX = 8  # blocks


@dataclass(frozen=True, slots=True)
class Share:
    """What one validator takes on. Raises InputError on construction.

    max_slots  0: any number
    groups     0: all slots; else the one of so many groups with number `group_index`
    """

    max_slots: int = SLOTS_DEFAULT
    groups: int = 0
    group_index: int = 0

    def __post_init__(self) -> None:
        if self.max_slots < 0:
            raise InputError(f"a validator cannot watch {self.max_slots} slots; 0 means any number")
        if self.groups and not GROUPS_MIN <= self.groups <= GROUPS_MAX:
            raise InputError(
                f"{self.groups} groups of validators: take {GROUPS_MIN} to {GROUPS_MAX}, "
                "or none for all slots"
            )
        if not 0 <= self.group_index < max(1, self.groups):
            raise InputError(
                f"group {self.group_index} does not exist; with {self.groups} groups they are "
                f"0 to {max(1, self.groups) - 1}"
            )

    def takes(self, slot_id: SlotId) -> bool:
        if not self.groups:
            return True
        return int.from_bytes(slot_id[:GROUP_BYTES], "big") % self.groups == self.group_index


@dataclass(frozen=True, slots=True)
class MarkWindow:
    """Timestamps of blocks in which misses of `period` can be marked: first to last, inclusive.
    Empty when the timeout is a second or none."""

    period: int
    first: int
    last: int

    @classmethod
    def of(cls, period: int, terms: Terms) -> MarkWindow:
        end = terms.period_end(period)
        return cls(period, end + 1, end + terms.timeout - 1)

    @classmethod
    def newest(cls, now: float, terms: Terms) -> MarkWindow:
        """The last that has opened at this time; it may be over."""
        return cls.of(terms.period_of(int(now) - 1) - 1, terms)

    def is_open(self, now: float) -> bool:
        return self.first <= now < self.last + 1


class Rivalry:
    """How many blocks a validator spreads its marks over: one as long as nobody is faster, twice as
    many each time that it was beaten to a mark, half as many after each window that was its own."""

    def __init__(self, spread_max: int = SPREAD_MAX) -> None:
        self.spread = 1
        self._max = spread_max

    def note(self, beaten: int) -> None:
        """A window is over in which others were first so many times."""
        self.spread = min(self._max, 2 * self.spread) if beaten else max(1, self.spread // 2)


def draw(validator: Address, slot_id: SlotId, period: int) -> int:
    """A number that is another for each validator, slot and period."""
    return int.from_bytes(keccak256(validator + slot_id + period.to_bytes(32, "big")), "big")


def in_turn(validator: Address, slot_ids: Iterable[SlotId], period: int) -> list[SlotId]:
    """The order in which a validator marks: drawn, so that several do not begin with the same."""
    return sorted(slot_ids, key=lambda slot_id: draw(validator, slot_id, period))


def blocks_to_wait(validator: Address, slot_id: SlotId, period: int, spread: int) -> int:
    """Blocks of the window that a validator leaves to others; 0 when it spreads over one."""
    return draw(validator, slot_id, period) % max(1, spread)
