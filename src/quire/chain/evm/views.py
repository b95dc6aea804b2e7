"""What the contract tells: the reading half of the port `Market`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from quire.base.errors import ChainUnreachable, NotFound, Reverted, UnknownRequest
from quire.chain.abi import id_text, request_id, request_of, told_address
from quire.chain.block import parse_block
from quire.chain.clock import RpcChainClock
from quire.chain.evm import methods
from quire.chain.evm.funds import Funds
from quire.chain.evm.methods import Method
from quire.chain.evm.reader import Reader
from quire.chain.port import Head, ProofStatus
from quire.chain.sender import Sender
from quire.chain.terms import Extensions, Terms
from quire.chain.values import (
    Address,
    RequestId,
    RequestState,
    SlotId,
    SlotState,
    StorageRequest,
)

REMEMBERED_REQUESTS = 1024
UNKNOWN_REQUEST = "Marketplace_UnknownRequest"
SLOT_IS_FREE = "Marketplace_SlotIsFree"
NOBODY = "0x" + "00" * 20


class EvmViews:
    """One account at one contract."""

    def __init__(
        self,
        reader: Reader,
        sender: Sender,
        clock: RpcChainClock,
        terms: Terms,
        funds: Funds,
    ) -> None:
        self._reader = reader
        self._sender = sender
        self._clock = clock
        self._terms = terms
        self._funds = funds
        self._requests: OrderedDict[RequestId, StorageRequest] = OrderedDict()

    @property
    def account(self) -> Address:
        return self._reader.account

    @property
    def terms(self) -> Terms:
        return self._terms

    @property
    def clock(self) -> RpcChainClock:
        return self._clock

    async def head(self) -> Head:
        answer = await self._reader.rpc.call("eth_getBlockByNumber", ["latest", False])
        block = parse_block(answer)
        if block is None:
            raise ChainUnreachable("The chain's node has no newest block")
        return block.head

    async def balance(self, account: Address | None = None) -> int:
        return await self._funds.balance(account)

    async def gas_balance(self) -> int:
        return await self._sender.balance()

    async def request(self, request_id: RequestId) -> StorageRequest:
        known = self._requests.get(request_id)
        if known is None:
            known = _checked(request_id, await self._of_request(methods.GET_REQUEST, request_id))
            self._requests[request_id] = known
            if len(self._requests) > REMEMBERED_REQUESTS:
                self._requests.popitem(last=False)
        self._requests.move_to_end(request_id)
        return known

    async def request_state(self, request_id: RequestId) -> RequestState:
        return RequestState(await self._of_request(methods.REQUEST_STATE, request_id))

    async def request_end(self, request_id: RequestId) -> int:
        return int(await self._of_request(methods.REQUEST_END, request_id))

    async def request_expiry(self, request_id: RequestId) -> int:
        await self._of_request(methods.REQUEST_STATE, request_id)  # that it is known
        return int(await self._of_request(methods.REQUEST_EXPIRY, request_id))

    async def slot_states(self, slot_ids: Sequence[SlotId]) -> list[SlotState]:
        if not slot_ids:
            return []
        if self._can(Extensions.BATCH_PROOFS):
            found = await self._reader.ask(methods.SLOT_STATES, list(slot_ids))
        else:
            found = await self._each(methods.SLOT_STATE, slot_ids)
        return [SlotState(state) for state in found]

    async def host(self, slot_id: SlotId) -> Address | None:
        found = await self._reader.ask(methods.GET_HOST, slot_id)
        return None if found == NOBODY else told_address(found)

    async def current_collateral(self, slot_id: SlotId) -> int:
        return int(await self._reader.ask(methods.CURRENT_COLLATERAL, slot_id))

    async def active_slot(self, slot_id: SlotId) -> tuple[StorageRequest, int]:
        try:
            values, slot_index = await self._reader.ask(methods.GET_ACTIVE_SLOT, slot_id)
        except Reverted as error:
            if error.facts["name"] != SLOT_IS_FREE:
                raise
            raise NotFound(f"slot {id_text(slot_id)} was never filled") from None
        return request_of(values), int(slot_index)

    async def my_requests(self) -> list[RequestId]:
        return list(await self._reader.ask(methods.MY_REQUESTS))

    async def my_slots(self) -> list[SlotId]:
        return list(await self._reader.ask(methods.MY_SLOTS))

    async def can_reserve(self, request_id: RequestId, slot_index: int) -> bool:
        try:
            return bool(await self._reader.ask(methods.CAN_RESERVE_SLOT, request_id, slot_index))
        except Reverted:
            return False

    async def eligible_from(self, request_id: RequestId, slot_index: int) -> int:
        if not self._can(Extensions.DISPERSAL):
            return 0
        timestamp, _ = await self._reader.ask(
            methods.ELIGIBLE_FROM, self.account, request_id, slot_index
        )
        return int(timestamp)

    async def proof_statuses(self, slot_ids: Sequence[SlotId]) -> list[ProofStatus]:
        if not slot_ids:
            return []
        if self._can(Extensions.BATCH_PROOFS):
            period, found = await self._reader.ask(methods.PROOF_STATUSES, list(slot_ids))
            return [ProofStatus(period, *status) for status in found]
        asked = [
            (method, [slot_id])
            for slot_id in slot_ids
            for method in (
                methods.IS_PROOF_REQUIRED,
                methods.WILL_PROOF_BE_REQUIRED,
                methods.GET_CHALLENGE,
                methods.GET_POINTER,
            )
        ]
        time, answers = await self._reader.ask_as_of_one_block(asked)
        period = self._terms.period_of(time)
        return [_status(period, answers[i : i + 4]) for i in range(0, len(answers), 4)]

    async def missing_proofs(self, slot_id: SlotId) -> int:
        return int(await self._reader.ask(methods.MISSING_PROOFS, slot_id))

    async def can_mark_missing(self, slots: Sequence[tuple[SlotId, int]]) -> list[bool]:
        if not slots:
            return []
        answers = await self._reader.ask_all([(methods.CAN_MARK, slot) for slot in slots])
        return [not isinstance(answer, Reverted) for answer in answers]

    async def is_proof_delegate(self, host: Address, delegate: Address) -> bool:
        if not self._can(Extensions.BATCH_PROOFS):
            return False
        is_allowed, _ = await self._reader.ask(methods.PROOF_DELEGATION, host, delegate)
        return bool(is_allowed)

    # ---- inside ----

    def _can(self, extension: Extensions) -> bool:
        return extension in self._terms.extensions

    async def _of_request(self, method: Method, request_id: RequestId) -> Any:
        try:
            return await self._reader.ask(method, request_id)
        except Reverted as error:
            if error.facts["name"] != UNKNOWN_REQUEST:
                raise
            raise UnknownRequest(f"the contract knows no request {id_text(request_id)}") from None

    async def _each(self, method: Method, slot_ids: Sequence[SlotId]) -> list[Any]:
        answers = await self._reader.ask_all([(method, [slot_id]) for slot_id in slot_ids])
        for answer in answers:
            if isinstance(answer, Reverted):
                raise answer
        return answers


def _checked(expected: RequestId, values: Any) -> StorageRequest:
    """The id is the hash of the request, so that a node cannot tell another one."""
    request = request_of(values)
    if request_id(request) != expected:
        raise ChainUnreachable(
            f"the chain's node told another request than {id_text(expected)}; is it damaged?"
        )
    return request


def _status(period: int, answers: Sequence[Any]) -> ProofStatus:
    """Of one slot. What cannot be asked of a slot that is not filled counts as no."""
    is_required, will_be, challenge, pointer = (
        None if isinstance(answer, Reverted) else answer for answer in answers
    )
    return ProofStatus(
        period, bool(is_required), bool(will_be), challenge or bytes(32), pointer or 0
    )
