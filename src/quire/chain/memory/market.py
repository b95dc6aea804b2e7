"""The port `Market` on a world in memory, for one account. Several markets are several nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from quire.base.errors import NotFound, Reverted, UnknownRequest
from quire.chain.abi import id_text
from quire.chain.events import MarketEvent, ProofSubmitted, SlotFilled
from quire.chain.memory.follow import Follower
from quire.chain.memory.ledger import Ledger
from quire.chain.memory.port import MemoryPort
from quire.chain.memory.world import Call
from quire.chain.port import Batch, Head, ProofStatus, Receipt, Submission
from quire.chain.terms import Terms
from quire.chain.values import (
    Address,
    RequestId,
    RequestState,
    SlotId,
    SlotState,
    StorageRequest,
)

# About what the contract takes.
GAS = {
    "request_storage": 400_000,
    "reserve_slot": 90_000,
    "fill_slot": 500_000,
    "free_slot": 90_000,
    "submit_proofs": 250_000,
    "set_proof_delegate": 50_000,
    "mark_missing": 120_000,
    "withdraw": 50_000,
    "open_repair": 60_000,
    "register": 80_000,
}


class MemoryMarket(MemoryPort):
    """Implements `Market`; see MemoryPort."""

    @property
    def terms(self) -> Terms:
        return self.world.terms

    # ---- what is ----

    async def head(self) -> Head:
        self._on.ask("head")
        return self.world.head

    async def balance(self, account: Address | None = None) -> int:
        return self._on.ask("balance").state.tokens.get(account or self.account, 0)

    async def gas_balance(self) -> int:
        self._on.ask("gas_balance")
        return self.world.gas.get(self.account, 0)

    async def request(self, request_id: RequestId) -> StorageRequest:
        return self._known("request", request_id).request(request_id)

    async def request_state(self, request_id: RequestId) -> RequestState:
        return self._known("request_state", request_id).request_state(request_id)

    async def request_end(self, request_id: RequestId) -> int:
        return self._known("request_end", request_id).request_end(request_id)

    async def request_expiry(self, request_id: RequestId) -> int:
        return self._known("request_expiry", request_id).request_expiry(request_id)

    async def slot_states(self, slot_ids: Sequence[SlotId]) -> list[SlotState]:
        moment = self._on.ask("slot_states")
        return [moment.slot_state(each) for each in slot_ids]

    async def host(self, slot_id: SlotId) -> Address | None:
        return self._on.ask("host").host(slot_id)

    async def current_collateral(self, slot_id: SlotId) -> int:
        return self._on.ask("current_collateral").current_collateral(slot_id)

    async def active_slot(self, slot_id: SlotId) -> tuple[StorageRequest, int]:
        moment = self._on.ask("active_slot")
        try:
            return moment.active_slot(slot_id)
        except Reverted:
            raise NotFound(f"slot {id_text(slot_id)} was never filled") from None

    async def my_requests(self) -> list[RequestId]:
        return list(self._on.ask("my_requests").my_requests())

    async def my_slots(self) -> list[SlotId]:
        return list(self._on.ask("my_slots").my_slots())

    async def can_reserve(self, request_id: RequestId, slot_index: int) -> bool:
        return self._on.ask("can_reserve").can_reserve(request_id, slot_index)

    async def eligible_from(self, request_id: RequestId, slot_index: int) -> int:
        moment = self._on.ask("eligible_from")
        timestamp, _ = moment.eligible_from(self.account, request_id, slot_index)
        return timestamp

    async def proof_statuses(self, slot_ids: Sequence[SlotId]) -> list[ProofStatus]:
        moment = self._on.ask("proof_statuses")
        return [moment.proof_status(each) for each in slot_ids]

    async def missing_proofs(self, slot_id: SlotId) -> int:
        return self._on.ask("missing_proofs").missing_proofs(slot_id)

    async def can_mark_missing(self, slots: Sequence[tuple[SlotId, int]]) -> list[bool]:
        moment = self._on.ask("can_mark_missing")
        return [moment.why_not_missing(each, period) is None for each, period in slots]

    async def is_proof_delegate(self, host: Address, delegate: Address) -> bool:
        return self._on.ask("is_proof_delegate").delegation(host, delegate).is_allowed

    # ---- what is done ----

    async def request_storage(self, request: StorageRequest) -> Receipt:
        return await self._send("request_storage", lambda ledger: ledger.request_storage(request))

    async def reserve_slot(self, request_id: RequestId, slot_index: int) -> Receipt:
        return await self._send(
            "reserve_slot", lambda ledger: ledger.reserve_slot(request_id, slot_index)
        )

    async def fill_slot(self, request_id: RequestId, slot_index: int, proof: bytes) -> Receipt:
        return await self._send(
            "fill_slot", lambda ledger: ledger.fill_slot(request_id, slot_index, proof)
        )

    async def free_slot(
        self,
        slot_id: SlotId,
        reward_recipient: Address | None = None,
        collateral_recipient: Address | None = None,
    ) -> Receipt:
        return await self._send(
            "free_slot",
            lambda ledger: ledger.free_slot(slot_id, reward_recipient, collateral_recipient),
        )

    async def submit_proofs(self, proofs: Sequence[tuple[SlotId, bytes]]) -> Receipt:
        ids, words = [each for each, _ in proofs], [each for _, each in proofs]
        if len(ids) == 1 and not self.world.moment(self.account).is_delegate_of(ids[0]):
            return await self._send(
                "submit_proofs", lambda ledger: ledger.submit_proof(ids[0], words[0])
            )
        return await self._send(
            "submit_proofs", lambda ledger: ledger.submit_proofs(ids, words), len(ids)
        )

    async def set_proof_delegate(self, delegate: Address, is_allowed: bool) -> Receipt:
        return await self._send(
            "set_proof_delegate", lambda ledger: ledger.set_proof_delegate(delegate, is_allowed)
        )

    async def mark_missing(self, slots: Sequence[tuple[SlotId, int]]) -> list[Receipt]:
        is_markable = await self.can_mark_missing(slots)
        marked = [each for each, is_so in zip(slots, is_markable, strict=True) if is_so]
        if not marked:
            return []
        ids, periods = [each for each, _ in marked], [period for _, period in marked]

        def mark(ledger: Ledger) -> None:
            ledger.mark_many(ids, periods)

        return [await self._send("mark_missing", mark, len(marked))]

    async def withdraw(self, request_id: RequestId) -> Receipt:
        return await self._send("withdraw", lambda ledger: ledger.withdraw(request_id))

    async def open_repair(self, request_id: RequestId) -> Receipt:
        return await self._send("open_repair", lambda ledger: ledger.open_repair(request_id))

    async def register(self) -> Receipt:
        return await self._send("register", lambda ledger: ledger.register())

    # ---- what happens ----

    def follow(self, after: Head | None) -> AsyncIterator[Batch]:
        return Follower(self.world, self.faults, after).batches()

    async def past_events(self, from_block: int) -> list[MarketEvent]:
        self._on.ask("past_events")
        blocks = self.world.blocks_after(from_block - 1)
        return [event for block in blocks for event in block.events]

    async def submissions(self, slot_id: SlotId, from_block: int) -> list[Submission]:
        self._on.ask("submissions")
        return [
            Submission(sent.hash, block.head.number, block.head.timestamp, sent.sender)
            for block in reversed(self.world.blocks_after(from_block - 1))
            for sent in reversed(block.transactions)
            if ProofSubmitted(slot_id) in sent.events
        ]

    async def filled_at(
        self, request_id: RequestId, slot_index: int, from_block: int
    ) -> int | None:
        self._on.ask("filled_at")
        filled = SlotFilled(request_id, slot_index)
        for block in reversed(self.world.blocks_after(from_block - 1)):
            if filled in block.events:
                return block.head.timestamp
        return None

    # ---- inside ----

    def _known(self, method: str, request_id: RequestId) -> Ledger:
        moment = self._on.ask(method)
        if request_id not in moment.state.requests:
            raise UnknownRequest(f"the contract knows no request {id_text(request_id)}")
        return moment

    async def _send(self, method: str, call: Call, times: int = 1) -> Receipt:
        return await self._on.send(method, call, GAS[method] * times)
