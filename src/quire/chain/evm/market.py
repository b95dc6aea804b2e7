"""The port `Market` on a real chain: one account at one marketplace contract.

What would be refused is refused before anything is sent: each transaction is tried first, as of the
next block. Then tokens are looked at and allowed, then it is sent; the call returns when it is in a
block. Read next: `views` (what is asked), `opening` (how one is made), `reverts` (the words).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from quire.base.errors import InputError, QuireError, Reverted, RpcRefused
from quire.chain.abi import request_values, slot_id
from quire.chain.block import Log, parse_block
from quire.chain.clock import RpcChainClock
from quire.chain.events import MarketEvent, ProofSubmitted, SlotFilled
from quire.chain.evm import methods
from quire.chain.evm.funds import Funds
from quire.chain.evm.logs import events_of
from quire.chain.evm.methods import Method, proof_value
from quire.chain.evm.reader import Reader
from quire.chain.evm.sending import send_call
from quire.chain.evm.views import EvmViews
from quire.chain.follow import follow
from quire.chain.heads import Heads
from quire.chain.log_reader import LogReader
from quire.chain.outgoing import Transaction
from quire.chain.port import Batch, Head, Receipt, Submission
from quire.chain.receipt import parse_sender
from quire.chain.reverts import WORDS
from quire.chain.sender import Sender
from quire.chain.terms import Extensions, Terms
from quire.chain.values import Address, RequestId, SlotId, SlotState, StorageRequest

# Of the estimate; what may be used up more until it is in a block (market.md 4.7).
PERCENT = {
    methods.FILL_SLOT: 110,
    methods.RESERVE_SLOT: 125,
    methods.MARK: 150,
    methods.MARK_MANY: 150,
    methods.FREE_SLOT: 300,
    methods.FREE_SLOT_TO: 300,
}
OTHERS_PERCENT = 110
TRANSFER_FAILED = "Marketplace_TransferFailed"

ALLOWED_TOO_LITTLE = "ERC20InsufficientAllowance"
PAY_TRIES = 3


class EvmMarket(EvmViews):
    """Made by `opening.open_market`. `depth`: blocks on top of one before it is told of."""

    def __init__(
        self,
        reader: Reader,
        heads: Heads,
        sender: Sender,
        clock: RpcChainClock,
        terms: Terms,
        funds: Funds,
        *,
        depth: int = 0,
    ) -> None:
        super().__init__(reader, sender, clock, terms, funds)
        self._heads = heads
        self._depth = depth

    # ---- what is done ----

    async def request_storage(self, request: StorageRequest) -> Receipt:
        data = methods.REQUEST_STORAGE.data(request_values(request))
        return await self._pay(
            methods.REQUEST_STORAGE, data, request.ask.max_price, "the storage request"
        )

    async def reserve_slot(self, request_id: RequestId, slot_index: int) -> Receipt:
        return await self._send(methods.RESERVE_SLOT, request_id, slot_index)

    async def fill_slot(self, request_id: RequestId, slot_index: int, proof: bytes) -> Receipt:
        data = methods.FILL_SLOT.data(request_id, slot_index, proof_value(proof))
        ask = (await self.request(request_id)).ask
        collateral = ask.collateral_per_slot
        (state,) = await self.slot_states([slot_id(request_id, slot_index)])
        if state is SlotState.REPAIR:
            collateral -= collateral * self.terms.repair_reward_percentage // 100
        return await self._pay(methods.FILL_SLOT, data, collateral, "the collateral of the slot")

    async def free_slot(
        self,
        slot_id: SlotId,
        reward_recipient: Address | None = None,
        collateral_recipient: Address | None = None,
    ) -> Receipt:
        if reward_recipient is None and collateral_recipient is None:
            return await self._send(methods.FREE_SLOT, slot_id)
        return await self._send(
            methods.FREE_SLOT_TO,
            slot_id,
            reward_recipient or self.account,
            collateral_recipient or self.account,
        )

    async def submit_proofs(self, proofs: Sequence[tuple[SlotId, bytes]]) -> Receipt:
        if not proofs:
            raise InputError("there is no proof to submit")
        if len(proofs) == 1 and await self._is_single(proofs[0][0]):
            slot_id, proof = proofs[0]
            return await self._send(methods.SUBMIT_PROOF, slot_id, proof_value(proof))
        self._need(Extensions.BATCH_PROOFS, "takes one proof at a time")
        return await self._send(
            methods.SUBMIT_PROOFS,
            [slot_id for slot_id, _ in proofs],
            [proof_value(proof) for _, proof in proofs],
        )

    async def set_proof_delegate(self, delegate: Address, is_allowed: bool) -> Receipt:
        self._need(Extensions.BATCH_PROOFS, "takes proofs of a slot's host only")
        return await self._send(methods.SET_PROOF_DELEGATE, delegate, is_allowed)

    async def mark_missing(self, slots: Sequence[tuple[SlotId, int]]) -> list[Receipt]:
        can_mark = await self.can_mark_missing(slots)
        marked = [slot for slot, can in zip(slots, can_mark, strict=True) if can]
        if not marked:
            return []
        if self._can(Extensions.MARK_MANY):
            ids, periods = [slot for slot, _ in marked], [period for _, period in marked]
            return [await self._send(methods.MARK_MANY, ids, periods)]
        sent = await self._sender.send_many(
            [self._transaction(methods.MARK, methods.MARK.data(*slot)) for slot in marked]
        )
        problems = [one for one in sent if isinstance(one, QuireError) and not _is_revert(one)]
        if problems:
            raise problems[0]
        return [one for one in sent if isinstance(one, Receipt)]

    async def withdraw(self, request_id: RequestId) -> Receipt:
        return await self._send(methods.WITHDRAW_FUNDS, request_id)

    async def open_repair(self, request_id: RequestId) -> Receipt:
        self._need(Extensions.LAZY_REPAIR, "opens freed slots at once")
        return await self._send(methods.OPEN_REPAIR, request_id)

    async def register(self) -> Receipt:
        self._need(Extensions.REGISTRY, "has no register of hosts")
        deposit = int(await self._reader.ask(methods.REGISTRATION_DEPOSIT))
        return await self._pay(
            methods.REGISTER, methods.REGISTER.data(), deposit, "the registration"
        )

    # ---- what happens ----

    async def follow(self, after: Head | None) -> AsyncIterator[Batch]:
        contract = self.terms.contract
        async for stretch in follow(self._reader.rpc, self._heads, contract, after, self._depth):
            yield Batch(stretch.head, events_of(stretch.logs), stretch.is_rewound)

    async def past_events(self, from_block: int) -> list[MarketEvent]:
        newest = (await self.head()).number - self._depth
        reader = LogReader(self._reader.rpc, self.terms.contract)
        return list(events_of(await reader.between(max(0, from_block), newest)))

    async def filled_at(
        self, request_id: RequestId, slot_index: int, from_block: int
    ) -> int | None:
        logs = await self._newest_first(SlotFilled(request_id, slot_index), from_block)
        return await self._timestamp(logs[0].block) if logs else None

    async def submissions(self, slot_id: SlotId, from_block: int) -> list[Submission]:
        found = []
        for log in await self._newest_first(ProofSubmitted(slot_id), from_block):
            timestamp = await self._timestamp(log.block)
            named = f"0x{log.transaction.hex()}"
            receipt = await self._reader.rpc.call("eth_getTransactionReceipt", [named])
            if timestamp is not None and receipt is not None:  # else a re-organisation took it
                sender = parse_sender(receipt)
                found.append(Submission(log.transaction, log.block, timestamp, sender))
        return found

    # ---- inside ----

    async def _newest_first(self, event: MarketEvent, from_block: int) -> list[Log]:
        """The logs that tell it, since a block."""
        newest = (await self.head()).number
        reader = LogReader(self._reader.rpc, self.terms.contract)
        logs = await reader.between(max(0, from_block), newest)
        return [log for log in reversed(logs) if event in events_of([log])]

    async def _timestamp(self, number: int) -> int | None:
        """Of a block; None when it is not there any more."""
        answer = await self._reader.rpc.call("eth_getBlockByNumber", [hex(number), False])
        block = parse_block(answer)
        return None if block is None else block.head.timestamp

    async def _is_single(self, slot_id: SlotId) -> bool:
        """Whether a proof goes by the call for one: it is cheaper, but no delegate's."""
        if not self._can(Extensions.BATCH_PROOFS):
            return True
        host = await self.host(slot_id)
        if host is None or host == self.account:
            return True
        return not await self.is_proof_delegate(host, self.account)

    async def _pay(self, method: Method, data: bytes, tokens: int, purpose: str) -> Receipt:
        """Send what makes the contract take tokens of this account."""
        refusal = await self._reader.would(data, method.name)
        if refusal is not None and not _is_about_tokens(refusal):
            raise refusal
        for _ in range(PAY_TRIES - 1):
            try:
                return await self._pay_once(method, data, tokens, purpose)
            except Reverted as error:  # a re-organisation may have taken the approval back
                if error.facts.get("name") != ALLOWED_TOO_LITTLE:
                    raise
        return await self._pay_once(method, data, tokens, purpose)

    async def _pay_once(self, method: Method, data: bytes, tokens: int, purpose: str) -> Receipt:
        async with self._funds.set_aside(tokens, purpose, self.terms.contract):
            return await self._send_data(method, data)

    async def _send(self, method: Method, *values: object) -> Receipt:
        return await self._send_data(method, method.data(*values))

    async def _send_data(self, method: Method, data: bytes) -> Receipt:
        return await send_call(self._sender, self._transaction(method, data), method.name)

    def _transaction(self, method: Method, data: bytes) -> Transaction:
        percent = PERCENT.get(method, OTHERS_PERCENT)
        return Transaction(self.terms.contract, data, gas_percent=percent)

    def _need(self, extension: Extensions, what: str) -> None:
        if not self._can(extension):
            raise InputError(f"the contract of this chain {what}")


def _is_revert(error: QuireError) -> bool:
    return isinstance(error, RpcRefused) and error.data is not None


def _is_about_tokens(refusal: Reverted) -> bool:
    """Tokens move last, so whatever is no error of the contract's own speaks of them."""
    name = refusal.facts["name"]
    return name == TRANSFER_FAILED or name not in WORDS
