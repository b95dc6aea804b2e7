"""How a host loses its slot, and when the slot opens again.

Source   market.md 2.6, 5.3
"""

from __future__ import annotations

from dataclasses import replace

from quire.chain.abi import slot_id as slot_id_of
from quire.chain.events import RequestFailed, SlotEvicted, SlotFreed
from quire.chain.memory.moment import need
from quire.chain.memory.states import States
from quire.chain.repair_gate import is_open
from quire.chain.values import RequestId, RequestState, SlotId, SlotState


class Repair(States):
    def open_repair(self, request_id: RequestId) -> None:
        """Open the slots that wait, once the first of them has waited long enough."""
        is_started = self.request_state(request_id) is RequestState.STARTED
        record = self.known(request_id)
        is_due = is_started and bool(record.waiting) and self._is_due(request_id)
        need(is_due, "Marketplace_RepairNotDue")
        self._open_waiting(request_id)

    def evict(self, slot_id: SlotId) -> None:
        """The host loses slot, collateral and what it would have been paid."""
        slot = self.state.slots[slot_id]
        record, ask = self.state.requests[slot.request_id], self.ask_of(slot)
        paid = slot.missed * self.validator_reward(ask)
        self.state.burnable += ask.collateral_per_slot - paid - self.repair_reward(ask)
        self.unlist_slot(slot_id)
        unpaid = (record.ends_at - slot.since) * ask.price_per_slot_per_second
        record = self.change_request(
            slot.request_id,
            funds=record.funds + unpaid,
            filled=record.filled - 1,
            waiting=(*record.waiting, slot.slot_index),
        )
        self.put_slot(
            replace(
                slot,
                state=SlotState.REPAIR,
                host=None,
                since=self.now,
                missed=0,
                received=frozenset(),
                missing=frozenset(),
                missing_before=slot.missing_before | slot.missing,
                reservations=(),
                opened_block=0,
                seed=b"",
                frees=slot.frees + 1,
            )
        )
        self.events.append(SlotEvicted(slot.request_id, slot.slot_index))
        is_started = record.state is RequestState.STARTED
        if not is_started or self._is_due(slot.request_id):
            self._open_waiting(slot.request_id)
        if is_started and ask.slots - record.filled > ask.max_slot_loss:
            self.change_request(slot.request_id, state=RequestState.FAILED, ends_at=self.now - 1)
            self.events.append(RequestFailed(slot.request_id))

    def _is_due(self, request_id: RequestId) -> bool:
        record = self.state.requests[request_id]
        ask = record.request.ask
        first = self.state.slots[slot_id_of(request_id, record.waiting[0])]
        lost = ask.slots - record.filled
        return is_open(self.terms.lazy_repair, ask.max_slot_loss, lost, first.since, self.now)

    def _open_waiting(self, request_id: RequestId) -> None:
        for slot_index in self.state.requests[request_id].waiting:
            slot = self.state.slots[slot_id_of(request_id, slot_index)]
            self.put_slot(replace(slot, since=self.now, opened_block=self.block.number))
            self.events.append(SlotFreed(request_id, slot_index))
        self.change_request(request_id, waiting=())
