"""What requests and slots are at this moment, and what they cost.

Source   market.md 2.1, 2.3
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quire.chain.abi import slot_id as slot_id_of
from quire.chain.memory.moment import Moment, refuse
from quire.chain.memory.state import RequestRecord, SlotRecord
from quire.chain.values import (
    Address,
    Ask,
    RequestId,
    RequestState,
    SlotId,
    SlotState,
    StorageRequest,
)

OPEN = (RequestState.NEW, RequestState.STARTED)
AFTER = {
    RequestState.CANCELLED: SlotState.CANCELLED,
    RequestState.FINISHED: SlotState.FINISHED,
    RequestState.FAILED: SlotState.FAILED,
}


class States(Moment):
    def known(self, request_id: RequestId) -> RequestRecord:
        record = self.state.requests.get(request_id)
        return record or refuse("Marketplace_UnknownRequest")

    def request(self, request_id: RequestId) -> StorageRequest:
        return self.known(request_id).request

    def request_state(self, request_id: RequestId) -> RequestState:
        record = self.known(request_id)
        if record.state is RequestState.NEW and self.now > record.expires_at:
            return RequestState.CANCELLED
        if record.state in OPEN and self.now > record.ends_at:
            return RequestState.FINISHED
        return record.state

    def request_end(self, request_id: RequestId) -> int:
        state, record = self.request_state(request_id), self.known(request_id)
        if state in OPEN:
            return record.ends_at
        if state is RequestState.CANCELLED:
            return record.expires_at
        return min(record.ends_at, self.now)

    def request_expiry(self, request_id: RequestId) -> int:
        return self.known(request_id).expires_at

    def slot_state(self, slot_id: SlotId) -> SlotState:
        slot = self.state.slots.get(slot_id)
        if slot is None or slot.state in (SlotState.FREE, SlotState.PAID):
            return SlotState.FREE if slot is None else slot.state
        return AFTER.get(self.request_state(slot.request_id), slot.state)

    def host(self, slot_id: SlotId) -> Address | None:
        slot = self.state.slots.get(slot_id)
        return None if slot is None else slot.host

    def current_collateral(self, slot_id: SlotId) -> int:
        slot = self.state.slots.get(slot_id)
        if slot is None or slot.host is None:
            return 0
        ask = self.ask_of(slot)
        return ask.collateral_per_slot - slot.missed * self.slashed(ask)

    def active_slot(self, slot_id: SlotId) -> tuple[StorageRequest, int]:
        slot = self.state.slots.get(slot_id)
        if slot is None or slot.state is SlotState.FREE:
            refuse("Marketplace_SlotIsFree")
        return self.request(slot.request_id), slot.slot_index

    def missing_proofs(self, slot_id: SlotId) -> int:
        slot = self.state.slots.get(slot_id)
        return 0 if slot is None else slot.missed

    def my_requests(self) -> tuple[RequestId, ...]:
        return self.state.requests_of.get(self.caller, ())

    def my_slots(self) -> tuple[SlotId, ...]:
        return self.state.slots_of.get(self.caller, ())

    def slots_to_repair(self, request_id: RequestId) -> list[int]:
        """Those that were freed and not filled again."""
        return [
            index
            for index in range(self.request(request_id).ask.slots)
            if self.slot(request_id, index).state is SlotState.REPAIR
        ]

    # ---- for the rules ----

    def slot(self, request_id: RequestId, slot_index: int) -> SlotRecord:
        found = self.state.slots.get(slot_id_of(request_id, slot_index))
        return found or SlotRecord(request_id, slot_index)

    def ask_of(self, slot: SlotRecord) -> Ask:
        return self.state.requests[slot.request_id].request.ask

    def change_request(self, request_id: RequestId, **changes: Any) -> RequestRecord:
        changed = replace(self.state.requests[request_id], **changes)
        self.state.requests[request_id] = changed
        return changed

    def put_slot(self, slot: SlotRecord) -> None:
        self.state.slots[slot_id_of(slot.request_id, slot.slot_index)] = slot

    def slashed(self, ask: Ask) -> int:
        """What one missed proof costs."""
        return ask.collateral_per_slot * self.terms.slash_percentage // 100

    def validator_reward(self, ask: Ask) -> int:
        """How much of that is the validator's."""
        return self.slashed(ask) * self.terms.validator_reward_percentage // 100

    def repair_reward(self, ask: Ask) -> int:
        return ask.collateral_per_slot * self.terms.repair_reward_percentage // 100

    def unlist_request(self, request_id: RequestId) -> None:
        client = self.request(request_id).client
        _take(self.state.requests_of, client, request_id)

    def unlist_slot(self, slot_id: SlotId) -> None:
        host = self.state.slots[slot_id].host
        assert host is not None
        _take(self.state.slots_of, host, slot_id)


def _take(lists: dict[Address, tuple[bytes, ...]], owner: Address, taken: bytes) -> None:
    lists[owner] = tuple(each for each in lists.get(owner, ()) if each != taken)
