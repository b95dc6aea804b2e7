"""Slots that are for sale, as the chain tells of them: the queue is filled and emptied here.

What happened before the start is read once (`back_fill`); from then on by batches. What an event
says may be over: a slot is looked at again when its sale begins.

Source   market.md 4.3 (queue reactions), 4.4
"""

from __future__ import annotations

from collections.abc import Callable

from quire.base.errors import UnknownRequest
from quire.chain.abi import slot_id
from quire.chain.events import (
    MarketEvent,
    RequestCancelled,
    RequestFailed,
    RequestFulfilled,
    SlotFilled,
    SlotFreed,
    SlotReservationsFull,
    SlotReserved,
    StorageRequested,
)
from quire.chain.port import Market
from quire.chain.values import RequestId, RequestState, SlotId, SlotState
from quire.market.slot_queue import SLOTS_MAX, SlotQueue, chance_of

BACK_BLOCKS = 2_000_000  # that are searched at a start, at most


class SlotMarket:
    """Feeds the queue of one host. `is_wanted` says whether a slot may be taken at all."""

    def __init__(
        self, market: Market, queue: SlotQueue, is_wanted: Callable[[SlotId], bool]
    ) -> None:
        self._market = market
        self._queue = queue
        self._is_wanted = is_wanted

    async def back_fill(self) -> None:
        """Look for slots that were for sale before this node followed the chain."""
        head = await self._market.head()
        now = self._market.clock.now()
        found: dict[RequestId, dict[int, None]] = {}
        for event in await self._market.past_events(max(0, head.number - BACK_BLOCKS)):
            match event:
                case StorageRequested() if event.ask.slots > SLOTS_MAX:
                    continue
                case StorageRequested() if event.expiry + event.ask.duration > now:
                    found[event.request_id] = dict.fromkeys(range(event.ask.slots))
                case SlotFreed() if event.request_id in found:
                    found[event.request_id][event.slot_index] = None
                case RequestFailed() | RequestCancelled():
                    found.pop(event.request_id, None)
        for request_id, indices in found.items():
            await self.offer(request_id, list(indices))

    async def hear(self, event: MarketEvent) -> None:
        """What an event means for the queue."""
        queue = self._queue
        match event:
            case StorageRequested() if event.ask.slots <= SLOTS_MAX:
                now = self._market.clock.now()
                for index in range(event.ask.slots):
                    queue.push(
                        chance_of(
                            event.request_id,
                            index,
                            event.ask,
                            event.expiry,
                            None,
                            self._market.terms,
                            now,
                        )
                    )
            case SlotFreed():
                await self.offer(event.request_id, [event.slot_index])
            case SlotReserved() if event.host != self._market.account:
                queue.note_rival(event.request_id, event.slot_index)
            case SlotFilled() | SlotReservationsFull():
                queue.remove(event.request_id, event.slot_index)
            case RequestFulfilled():
                queue.remove_request(event.request_id, but_repairs=True)
            case RequestFailed() | RequestCancelled():
                queue.remove_request(event.request_id)

    async def offer(
        self,
        request_id: RequestId,
        indices: list[int],
        *,
        is_seen: bool = False,
        not_before: int = 0,
    ) -> None:
        """Queue those slots of a request that are for sale now."""
        market = self._market
        try:
            state = await market.request_state(request_id)
            request = await market.request(request_id)
        except UnknownRequest:  # it was in a block that is not part of the chain any more
            return
        if state not in (RequestState.NEW, RequestState.STARTED):
            return
        expiry = await market.request_expiry(request_id)
        end = await market.request_end(request_id)
        fill_by = end if state == RequestState.STARTED else expiry
        indices = [i for i in indices if self._is_wanted(slot_id(request_id, i))]
        states = await market.slot_states([slot_id(request_id, index) for index in indices])
        now = market.clock.now()
        for index, slot_state in zip(indices, states, strict=True):
            if slot_state in (SlotState.FREE, SlotState.REPAIR):
                repaid = end if slot_state == SlotState.REPAIR else None
                chance = chance_of(
                    request_id, index, request.ask, fill_by, repaid, market.terms, now
                )
                self._queue.push(chance.put_off(is_seen, not_before))
