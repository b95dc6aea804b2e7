"""When a slot has to prove itself, and whether it did.

Source   market.md 2.7, 2.8, 2.9, 6.3
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quire.chain.events import ProofDelegateSet, ProofSubmitted
from quire.chain.memory.moment import need, refuse
from quire.chain.memory.state import ProofDelegation, SlotRecord
from quire.chain.memory.states import States
from quire.chain.port import ProofStatus
from quire.chain.values import Address, SlotId, SlotState
from quire.kernels.keccak import keccak256

POINTERS = 256
ENTROPY_BYTES = 31  # of the challenge, so that it is less than the field's order


class Proofs(States):
    @property
    def period(self) -> int:
        return self.terms.period_of(self.now)

    def pointer(self, slot_id: SlotId, period: int | None = None) -> int:
        period = self.period if period is None else period
        return (self.block.number + period * self.terms.downtime_product + slot_id[-1]) % POINTERS

    def challenge(self, slot_id: SlotId, period: int | None = None) -> bytes:
        behind = 1 + self.pointer(slot_id, period)
        return keccak256(self.block.hash_of(self.block.number - behind))

    def probability(self, slot_id: SlotId) -> int:
        """One proof in so many periods, were there no downtime."""
        asked = self.ask_of(self.state.slots[slot_id]).proof_probability
        return asked * (POINTERS - self.terms.downtime) // POINTERS

    def is_chosen(self, slot_id: SlotId, period: int | None = None) -> bool:
        """Whether the challenge of the period asks this slot, be it in the downtime or not."""
        period = self.period if period is None else period
        if self.slot_state(slot_id) is not SlotState.FILLED:
            return False
        if period <= self.terms.period_of(self.state.slots[slot_id].since):
            return False
        one_in = self.probability(slot_id)
        return one_in == 0 or int.from_bytes(self.challenge(slot_id, period), "big") % one_in == 0

    def is_proof_required(self, slot_id: SlotId, period: int | None = None) -> bool:
        is_up = self.pointer(slot_id, period) >= self.terms.downtime
        return is_up and self.is_chosen(slot_id, period)

    def will_proof_be_required(self, slot_id: SlotId) -> bool:
        return self.pointer(slot_id) < self.terms.downtime and self.is_chosen(slot_id)

    def proof_status(self, slot_id: SlotId) -> ProofStatus:
        return ProofStatus(
            period=self.period,
            is_required=self.is_proof_required(slot_id),
            will_be_required=self.will_proof_be_required(slot_id),
            challenge=self.challenge(slot_id),
            pointer=self.pointer(slot_id),
        )

    def why_not_missing(self, slot_id: SlotId, period: int) -> str | None:
        """The error with which marking is refused, if it is."""
        if self.slot_state(slot_id) is not SlotState.FILLED:
            return "Marketplace_SlotNotAcceptingProofs"
        slot, end = self.state.slots[slot_id], self.terms.period_end(period)
        if self.now <= end:
            return "Proofs_PeriodNotEnded"
        if self.now >= end + self.terms.timeout:
            return "Proofs_ValidationTimedOut"
        if period in slot.received:
            return "Proofs_ProofNotMissing"
        if not self.is_proof_required(slot_id, period):
            return "Proofs_ProofNotRequired"
        return "Proofs_ProofAlreadyMarkedMissing" if period in slot.missing else None

    def check_missing(self, slot_id: SlotId, period: int) -> None:
        problem = self.why_not_missing(slot_id, period)
        if problem is not None:
            refuse(problem)

    def is_proof_missing(self, slot_id: SlotId, period: int) -> bool:
        """Whether it was marked, of the present host or of one before."""
        slot = self.state.slots.get(slot_id)
        return slot is not None and period in slot.missing | slot.missing_before

    def slash_of(self, slot_id: SlotId) -> int:
        """What one missed proof of the slot costs its host; 0 of one that was never filled."""
        slot = self.state.slots.get(slot_id)
        if slot is None or slot.state is SlotState.FREE:
            return 0
        return self.slashed(self.ask_of(slot))

    def delegation(self, host: Address, delegate: Address) -> ProofDelegation:
        return self.state.delegates.get((host, delegate), ProofDelegation())

    def is_delegate_of(self, slot_id: SlotId) -> bool:
        """Whether the caller is a delegate of the slot's host."""
        host = self.host(slot_id)
        return host is not None and self.delegation(host, self.caller).is_allowed

    # ---- transactions ----

    def submit_proof(self, slot_id: SlotId, proof: bytes) -> None:
        slot = self._proved_slot(slot_id)
        need(slot.host == self.caller, "Marketplace_ProofNotSubmittedByHost")
        self.put_slot(self.accept_proof(slot_id, slot, proof))

    def submit_proofs(self, slot_ids: Sequence[SlotId], proofs: Sequence[bytes]) -> None:
        """All or none, by the hosts of the slots or a delegate of theirs."""
        need(len(slot_ids) == len(proofs), "Proofs_LengthMismatch")
        inputs = []
        for slot_id in slot_ids:
            slot = self._proved_slot(slot_id)
            self.put_slot(self._received(slot_id, slot))
            may_submit = slot.host == self.caller or self.is_delegate_of(slot_id)
            need(may_submit, "Marketplace_ProofNotSubmittedByHost")
            inputs.append(self._public_inputs(slot_id, slot))
        are_right = all(map(self._verify_proof, inputs, proofs))
        need(are_right, "Proofs_InvalidProof")

    def set_proof_delegate(self, delegate: Address, is_allowed: bool) -> None:
        before = self.delegation(self.caller, delegate)
        revoked_at = before.revoked_at if is_allowed else self.now
        self.state.delegates[self.caller, delegate] = ProofDelegation(is_allowed, revoked_at)
        self.events.append(ProofDelegateSet(self.caller, delegate, is_allowed))

    # ---- for the rules ----

    def accept_proof(self, slot_id: SlotId, slot: SlotRecord, proof: bytes) -> SlotRecord:
        """The slot with its proof of this period."""
        slot = self._received(slot_id, slot)
        is_right = self._verify_proof(self._public_inputs(slot_id, slot), proof)
        need(is_right, "Proofs_InvalidProof")
        return slot

    def _proved_slot(self, slot_id: SlotId) -> SlotRecord:
        slot = self.state.slots.get(slot_id)
        if slot is None or slot.state is SlotState.FREE:
            refuse("Marketplace_UnknownRequest")
        return slot

    def _received(self, slot_id: SlotId, slot: SlotRecord) -> SlotRecord:
        need(self.period not in slot.received, "Proofs_ProofAlreadySubmitted")
        self.events.append(ProofSubmitted(slot_id))
        # Older ones cannot be marked as missing any more.
        oldest = self.terms.period_of(max(0, self.now - self.terms.timeout)) - 1
        kept = {period for period in slot.received if period >= oldest}
        return replace(slot, received=frozenset({*kept, self.period}))

    def _public_inputs(self, slot_id: SlotId, slot: SlotRecord) -> list[int]:
        root = self.state.requests[slot.request_id].request.content.merkle_root
        inputs = [
            int.from_bytes(self.challenge(slot_id)[:ENTROPY_BYTES], "little"),
            int.from_bytes(root, "little"),
            slot.slot_index,
        ]
        if self.terms.proof_inputs > len(inputs):
            inputs.append(int.from_bytes(slot.host or b"", "big"))
        return inputs
