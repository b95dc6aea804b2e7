"""The slots that a validator watches, kept through restarts.

A slot is added when it is filled and goes when it is found in another state; one that is filled
again is added again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quire.chain.abi import id_text, parse_id, slot_id
from quire.chain.events import MarketEvent, SlotFilled
from quire.chain.port import Head, Market
from quire.chain.values import SlotId
from quire.market.block_pace import BlockPace
from quire.market.validation import Share
from quire.services.read_place import ReadPlace
from quire.store.journal import Journal, Record

SLOT = "validated"
PLACE = "validator"


class ValidatedSlots:
    """In the order in which they were found."""

    def __init__(self, share: Share, journal: Journal) -> None:
        self._share = share
        self._journal = journal
        self._slots: dict[SlotId, None] = {}
        self._place = ReadPlace(journal, PLACE)
        self.is_filled = False
        self.left_out = 0  # beyond max_slots, since the start

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, slot: SlotId) -> bool:
        return slot in self._slots

    def all(self) -> list[SlotId]:
        return list(self._slots)

    async def load(self) -> None:
        """What the journal says. Raises StoreCorrupt, BadEncoding."""
        for key in await self._journal.read(SLOT):
            self._slots[parse_id(key)] = None
        await self._place.load()

    async def back_fill(self, market: Market, head: Head, pace: BlockPace) -> bool:
        """Read what was filled before this start; whether that was possible yet. Raises
        ChainUnreachable."""
        events = await self._place.missed(market, head, pace)
        if events is None:
            return False
        await self.note(events)
        await self.read_to(head)
        self.is_filled = True
        return True

    async def note(self, events: Iterable[MarketEvent]) -> None:
        """Add what was filled, as long as there is room."""
        found: dict[SlotId, None] = {}
        for event in events:
            if not isinstance(event, SlotFilled):
                continue
            slot = slot_id(event.request_id, event.slot_index)
            if slot in self._slots or slot in found or not self._share.takes(slot):
                continue
            most = self._share.max_slots
            if most and len(self._slots) + len(found) >= most:
                self.left_out += 1
                continue
            found[slot] = None
        if found:
            await self._journal.write([Record(SLOT, id_text(slot), b"") for slot in found])
            self._slots.update(found)

    async def drop(self, slots: Sequence[SlotId]) -> None:
        """They are not filled any more."""
        if slots:
            await self._journal.write([Record(SLOT, id_text(slot), None) for slot in slots])
            for slot in slots:
                self._slots.pop(slot, None)

    async def read_to(self, head: Head) -> None:
        """Every event up to this block was noted."""
        await self._place.set(head)
