"""What hosts do in a random walk of a twin."""

from __future__ import annotations

from quire.chain.abi import slot_id
from quire.chain.values import SlotState
from support.contract_twin import PEOPLE, text, words_of
from support.walk_choices import Choices

MOST_SLOTS = 5
WRONG = bytes(256)


class HostDeeds(Choices):
    def reserve(self) -> None:
        request, index, _ = self._place_where(self._is_free)
        if self.random.random() < 0.03:
            index = MOST_SLOTS + 1
        if self.random.random() < 0.02:
            request = bytes(32)
        self._reserve_as(self._somebody(), request, index)

    def fill(self) -> None:
        request, index, slot = self._place_where(
            lambda each: self._is_free(each) and bool(self.twin.ledger().reservations_of(each))
        )
        held = self.twin.ledger().reservations_of(slot)
        host = self._rather(self.random.choice(held).host if held else None)
        self._fill_as(host, request, index, slot)

    def fill_all(self) -> None:
        request, _, _ = self._place_where(self._is_free)
        for index in range(self.twin.state.requests[request].request.ask.slots):
            slot = slot_id(request, index)
            if self._is_free(slot):
                self._reserve_and_fill_one(request, index, slot)
                self.twin.mine(1, self.random.choice((0, 0, 1)))

    def change_hands(self) -> None:
        """A slot is filled, given up and filled again, mostly within one period."""
        request, index, slot = self._place_where(self._is_free)
        for _ in range(2):
            self._reserve_and_fill_one(request, index, slot)
            host = self.twin.ledger().host(slot)
            if host is not None:
                self._do(host, "freeSlot(bytes32)", (slot,), lambda each: each.free_slot(slot))
            self.twin.mine()

    def squat(self) -> None:
        """A slot is reserved as often as may be, and again about when the first one expires."""
        request, index, slot = self._place_where(self._is_free)
        for each in PEOPLE[: self.twin.setup.max_reservations]:
            self._reserve_as(each, request, index)
        held = self.twin.ledger().reservations_of(slot)
        if held:
            ends = min(each.reserved_at for each in held) + self.twin.setup.ttl
            late = self.random.choice((0, 0, 1, 1))
            self.twin.mine(1, max(0, ends + late - self.twin.machine.time))
        self._reserve_as(self._somebody(), request, index)

    def reserve_and_fill(self) -> None:
        self._reserve_and_fill_one(*self._place_where(self._is_free))

    def _reserve_and_fill_one(self, request: bytes, index: int, slot: bytes) -> None:
        host = self._somebody()
        able = [each for each in PEOPLE if self.twin.ledger(each).can_reserve(request, index)]
        if able:
            host = self.random.choice(able)
        self._reserve_as(host, request, index)
        self._fill_as(host, request, index, slot)

    def _reserve_as(self, host: bytes, request: bytes, index: int) -> None:
        self._do(
            host,
            "reserveSlot",
            (request, index),
            lambda each: each.reserve_slot(request, index),
        )

    def _fill_as(self, host: bytes, request: bytes, index: int, slot: bytes) -> None:
        asked = self.twin.state.requests[request].request
        proof = self.twin.right_proof(host, slot, asked, index)
        if self.random.random() < 0.05:
            proof = WRONG
        if self.random.random() < 0.02:
            index = asked.ask.slots
        self._do(
            host,
            "fillSlot",
            (request, index, words_of(proof)),
            lambda each: each.fill_slot(request, index, proof),
        )

    def free(self) -> None:
        is_end = self.random.random() < 0.7
        _, _, slot = self._place_where(self._has_ended if is_end else self._is_filled)
        record = self.twin.state.slots.get(slot)
        host = self._rather(None if record is None else record.host)
        if self.random.random() < 0.7:
            return self._do(host, "freeSlot(bytes32)", (slot,), lambda each: each.free_slot(slot))
        to, other = self._somebody(), self._somebody()
        return self._do(
            host,
            "freeSlot(bytes32,address,address)",
            (slot, text(to), text(other)),
            lambda each: each.free_slot(slot, to, other),
        )

    def _proof_for(self, slot: bytes) -> tuple[bytes, bytes | None]:
        """A right proof, and the host of the slot."""
        record = self.twin.state.slots.get(slot)
        if record is None:
            return WRONG, None
        asked = self.twin.state.requests[record.request_id].request
        host = record.host or bytes(20)
        return self.twin.right_proof(host, slot, asked, record.slot_index), record.host

    def submit(self) -> None:
        _, _, slot = self._place_where(self._is_filled)
        proof, host = self._proof_for(slot)
        if self.random.random() < 0.05:
            proof = WRONG
        self._do(
            self._rather(host),
            "submitProof",
            (slot, words_of(proof)),
            lambda each: each.submit_proof(slot, proof),
        )

    def submit_many(self) -> None:
        caller = self._somebody()
        ledger = self.twin.ledger(caller)
        state = ledger.state
        able = [
            each
            for each, record in state.slots.items()
            if record.state is SlotState.FILLED
            and ledger.period not in record.received
            and record.host is not None
            and (record.host == caller or state.delegates.get((record.host, caller), False))
        ]
        slots = able[-4:]
        if self.random.random() < 0.2:
            slots.append(self._place()[2])
        if not slots:
            return
        proofs = [self._proof_for(slot)[0] for slot in slots]
        if self.random.random() < 0.1:
            proofs[-1] = WRONG
        if self.random.random() < 0.05:
            proofs.pop()
        self._do(
            caller,
            "submitProofs",
            (slots, [words_of(each) for each in proofs]),
            lambda each: each.submit_proofs(slots, proofs),
        )

    def delegate(self) -> None:
        to, is_allowed = self._somebody(), self.random.random() < 0.8
        self._do(
            self._somebody(),
            "setProofDelegate",
            (text(to), is_allowed),
            lambda each: each.set_proof_delegate(to, is_allowed),
        )

    def register(self) -> None:
        self._do(self._somebody(), "register", (), lambda each: each.register())

    def unregister(self) -> None:
        self._do(self._somebody(), "unregister", (), lambda each: each.unregister())
