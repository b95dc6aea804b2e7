"""Slots that could be sold, the best first.

Order    what a byte earns in a second (the repair reward counted in), more first; then less
         collateral; then later expiry; then fewer hosts that have reserved it, since only one
         of them can fill it; then a key of slot and host, so that hosts with the same idea of the
         best do not all begin with the same slot
Seen     a slot for which no offer had room; it waits until an offer grows
Bound    at most `limit`; the seen ones go first, then the worst

Source   market.md 4.4
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TypeAlias

from quire.chain.terms import Terms
from quire.chain.values import Address, Ask, RequestId, SlotId

LIMIT = 128
SLOTS_MAX = 65_535  # of a request; those with more are not looked at
SCALE = 10**18  # parts of the smallest unit, so that a small reward counts
Key: TypeAlias = tuple[RequestId, int]


@dataclass(frozen=True, slots=True)
class Chance:
    """One slot that is for sale. Times in unix seconds of the chain.

    rate        what a byte earns in a second, in 1/SCALE of the smallest unit
    collateral  to be paid, less the repair reward
    fill_by     the last second in which it can be filled
    not_before  when to look at it again
    """

    request_id: RequestId
    slot_index: int
    size: int
    rate: int
    collateral: int
    fill_by: int
    is_repair: bool = False
    is_seen: bool = False
    not_before: int = 0
    rivals: int = 0  # hosts that have reserved it since it is in the queue

    @property
    def key(self) -> Key:
        return self.request_id, self.slot_index

    def put_off(self, is_seen: bool, not_before: int) -> Chance:
        return replace(self, is_seen=is_seen, not_before=not_before)


def chance_of(
    request_id: RequestId,
    slot_index: int,
    ask: Ask,
    fill_by: int,
    end: int | None,
    terms: Terms,
    now: float,
) -> Chance:
    """A slot of a request: a new one, or one in repair that is paid until `end`."""
    rate = ask.price_per_byte_per_second * SCALE
    collateral = ask.collateral_per_slot
    if end is not None:
        reward = collateral * terms.repair_reward_percentage // 100
        seconds = max(1, end - int(now))
        rate += reward * SCALE // (max(1, ask.slot_size) * seconds)
        collateral -= reward
    return Chance(request_id, slot_index, ask.slot_size, rate, collateral, fill_by, end is not None)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast this host takes a slot."""

    bytes_per_second: float
    prove_seconds: float
    period: int  # seconds; the first proof is begun with a period

    def filled_at(self, size: int, now: float) -> float:
        """The earliest second at which a slot could be filled."""
        loaded = now + size / self.bytes_per_second
        return (loaded // self.period + 1) * self.period + self.prove_seconds


class SlotQueue:
    """Holds chances for one host."""

    def __init__(self, account: Address, limit: int = LIMIT) -> None:
        self._account = account
        self._limit = limit
        self._chances: dict[Key, Chance] = {}

    def __len__(self) -> int:
        return len(self._chances)

    def push(self, chance: Chance) -> None:
        """Add a slot, or what is new about it; the worst leaves when there are too many."""
        self._chances[chance.key] = chance
        if len(self._chances) > self._limit:
            worst = max(self._chances.values(), key=self._order)
            del self._chances[worst.key]

    def note_rival(self, request_id: RequestId, slot_index: int) -> None:
        """Another host has reserved a slot."""
        chance = self._chances.get((request_id, slot_index))
        if chance is not None:
            self._chances[chance.key] = replace(chance, rivals=chance.rivals + 1)

    def remove(self, request_id: RequestId, slot_index: int) -> None:
        self._chances.pop((request_id, slot_index), None)

    def remove_request(self, request_id: RequestId, *, but_repairs: bool = False) -> None:
        """Forget all slots of a request, or those that nobody has held yet."""
        for key, chance in list(self._chances.items()):
            if key[0] == request_id and not (but_repairs and chance.is_repair):
                del self._chances[key]

    def wake(self) -> None:
        """An offer has grown: look at all slots again."""
        for key, chance in self._chances.items():
            self._chances[key] = replace(chance, is_seen=False)

    def pop(self, now: float, pace: Pace) -> Chance | None:
        """Take the best that can be begun now. Those for which it is too late are forgotten."""
        for key, chance in list(self._chances.items()):
            if pace.filled_at(chance.size, now) > chance.fill_by:
                del self._chances[key]
        ready = [c for c in self._chances.values() if not c.is_seen and c.not_before <= now]
        if not ready:
            return None
        best = min(ready, key=self._order)
        del self._chances[best.key]
        return best

    def next_at(self) -> int | None:
        """When the next slot that waits for its time is due; None when none does."""
        times = [c.not_before for c in self._chances.values() if c.not_before and not c.is_seen]
        return min(times, default=None)

    def chances(self) -> list[Chance]:
        """All, the best first, those that have been seen last."""
        return sorted(self._chances.values(), key=self._order)

    def _order(self, chance: Chance) -> tuple[bool, int, int, int, int, bytes]:
        identity = self._account + chance.request_id + chance.slot_index.to_bytes(8, "big")
        lot: SlotId = sha256(identity).digest()
        worth = -chance.rate, chance.collateral, -chance.fill_by
        return (chance.is_seen, *worth, chance.rivals, lot)
