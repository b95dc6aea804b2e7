"""The rules of the marketplace contract, executable: what contract and tests must agree on.

A refused call raises Reverted; its fact `name` is the contract's error.

Source   market.md 2 (with the mendings of 2.11), 3.5, 5.3, 6.3, appendix A
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quire.chain.abi import request_id as request_id_of
from quire.chain.abi import slot_id as slot_id_of
from quire.chain.events import RequestCancelled, RequestFulfilled, SlotFilled, StorageRequested
from quire.chain.memory.moment import need, refuse
from quire.chain.memory.proofs import Proofs
from quire.chain.memory.repair import Repair
from quire.chain.memory.reservations import Reservations
from quire.chain.memory.state import RequestRecord, SlotRecord
from quire.chain.memory.states import OPEN
from quire.chain.values import (
    Address,
    RequestId,
    RequestState,
    SlotId,
    SlotState,
    StorageRequest,
)

MOST_SECONDS = 2**64 - 1  # slots times duration


class Ledger(Proofs, Reservations, Repair):
    """One call, by one caller, in one block."""

    # ---- clients ----

    def request_storage(self, request: StorageRequest) -> None:
        ask, request_id = request.ask, request_id_of(request)
        need(request.client == self.caller, "Marketplace_InvalidClientAddress")
        need(request_id not in self.state.requests, "Marketplace_RequestAlreadyExists")
        need(0 < request.expiry < ask.duration, "Marketplace_InvalidExpiry")
        need(ask.slots > 0, "Marketplace_InsufficientSlots")
        need(ask.max_slot_loss <= ask.slots, "Marketplace_InvalidMaxSlotLoss")
        need(ask.proof_probability > 0, "Marketplace_InsufficientProofProbability")
        need(ask.collateral_per_byte > 0, "Marketplace_InsufficientCollateral")
        need(ask.price_per_byte_per_second > 0, "Marketplace_InsufficientReward")
        need(len(request.content.cid) > 0, "Marketplace_InvalidCid")
        need(ask.duration <= self.terms.duration_limit, "Marketplace_DurationExceedsLimit")
        need(ask.slots * ask.duration <= MOST_SECONDS, "Panic")
        self.state.requests[request_id] = RequestRecord(
            request,
            funds=ask.max_price,
            ends_at=self.now + ask.duration,
            expires_at=self.now + request.expiry,
            created_block=self.block.number,
        )
        mine = self.state.requests_of.get(self.caller, ())
        self.state.requests_of[self.caller] = (*mine, request_id)
        self.events.append(StorageRequested(request_id, ask, self.now + request.expiry))
        self.pull(ask.max_price)

    def withdraw(self, request_id: RequestId, recipient: Address | None = None) -> None:
        """What the hosts of a request that ended are not owed."""
        record, state = self.known(request_id), None
        ask = record.request.ask
        need(record.request.client == self.caller, "Marketplace_InvalidClientAddress")
        state = self.request_state(request_id)
        need(state not in OPEN, "Marketplace_InvalidState")
        need(not record.is_withdrawn, "Marketplace_NothingToWithdraw")
        amount = record.funds
        if state is RequestState.CANCELLED:
            unpaid = record.ends_at - record.expires_at
            amount += record.filled * unpaid * ask.price_per_slot_per_second
            self.events.append(RequestCancelled(request_id))
        elif state is RequestState.FAILED:
            amount = ask.max_price
        # Nobody fills the freed slots any more.
        unclaimed = len(self.slots_to_repair(request_id)) * self.repair_reward(ask)
        self.state.burnable += unclaimed
        self.change_request(request_id, state=state, is_withdrawn=True, funds=0)
        self.unlist_request(request_id)
        self.pay(recipient or self.caller, amount)

    # ---- hosts ----

    def fill_slot(self, request_id: RequestId, slot_index: int, proof: bytes) -> None:
        record = self.known(request_id)
        ask = record.request.ask
        need(slot_index < ask.slots, "Marketplace_InvalidSlot")
        slot = self.slot(request_id, slot_index)
        is_reserved = any(other.host == self.caller for other in slot.reservations)
        need(is_reserved, "Marketplace_ReservationRequired")
        is_free = slot.state in (SlotState.FREE, SlotState.REPAIR)
        is_open = self.request_state(request_id) in OPEN
        need(is_free and is_open, "Marketplace_SlotNotFree")

        slot_id = slot_id_of(request_id, slot_index)
        is_repair = slot.state is SlotState.REPAIR
        held = replace(slot, state=SlotState.FILLED, host=self.caller, since=self.now)
        self.put_slot(held)
        self.put_slot(self.accept_proof(slot_id, held, proof))
        self.state.slots_of[self.caller] = (*self.my_slots(), slot_id)
        price = (record.ends_at - self.now) * ask.price_per_slot_per_second
        record = self.change_request(
            request_id, funds=record.funds - price, filled=record.filled + 1
        )
        self.events.append(SlotFilled(request_id, slot_index))
        if record.filled == ask.slots and record.state is RequestState.NEW:
            self.change_request(request_id, state=RequestState.STARTED)
            self.events.append(RequestFulfilled(request_id))
        self.pull(ask.collateral_per_slot - (self.repair_reward(ask) if is_repair else 0))

    def free_slot(
        self,
        slot_id: SlotId,
        reward_recipient: Address | None = None,
        collateral_recipient: Address | None = None,
    ) -> None:
        """Take reward and collateral of a slot whose request ended; give up one of another."""
        slot = self.state.slots.get(slot_id)
        if slot is None or slot.state is SlotState.FREE:
            refuse("Marketplace_SlotIsFree")
        need(slot.host == self.caller, "Marketplace_InvalidSlotHost")
        need(slot.state is not SlotState.PAID, "Marketplace_AlreadyPaid")
        if self.request_state(slot.request_id) in OPEN:
            self.evict(slot_id)
            return
        reward, collateral = self._reward(slot), self.current_collateral(slot_id)
        ask = self.ask_of(slot)
        self.state.burnable += slot.missed * (self.slashed(ask) - self.validator_reward(ask))
        if self.request_state(slot.request_id) is RequestState.FINISHED:
            self.change_request(slot.request_id, state=RequestState.FINISHED)
            self.unlist_request(slot.request_id)
        self.unlist_slot(slot_id)
        self.put_slot(replace(slot, state=SlotState.PAID))
        self.pay(reward_recipient or self.caller, reward)
        self.pay(collateral_recipient or self.caller, collateral)

    def _reward(self, slot: SlotRecord) -> int:
        """For the time it was hosted, once the request has ended; for a failed one nothing."""
        record = self.state.requests[slot.request_id]
        price = record.request.ask.price_per_slot_per_second
        match self.request_state(slot.request_id):
            case RequestState.FINISHED:
                return (record.ends_at - slot.since) * price
            case RequestState.CANCELLED:
                return (record.expires_at - slot.since) * price
        return 0

    # ---- validators ----

    def mark_missing(self, slot_id: SlotId, period: int) -> None:
        self.check_missing(slot_id, period)
        self.pay(self.caller, self._punish(slot_id, period))

    def mark_many(self, slot_ids: Sequence[SlotId], periods: Sequence[int]) -> int:
        """Those that can be; how many they were."""
        need(len(slot_ids) == len(periods), "Proofs_LengthMismatch")
        rewards = [
            self._punish(slot_id, period)
            for slot_id, period in zip(slot_ids, periods, strict=True)
            if self.why_not_missing(slot_id, period) is None
        ]
        self.pay(self.caller, sum(rewards))
        return len(rewards)

    def _punish(self, slot_id: SlotId, period: int) -> int:
        """Slash the host and, if it was once too often, evict it. The validator's reward; whoever
        marks itself gets none, it is burnt."""
        slot = self.state.slots[slot_id]
        reward = self.validator_reward(self.ask_of(slot))
        if slot.host == self.caller:
            self.state.burnable += reward
            reward = 0
        slot = replace(slot, missed=slot.missed + 1, missing=slot.missing | {period})
        self.put_slot(slot)
        if slot.missed >= self.terms.max_slashes:
            self.evict(slot_id)
        return reward
