"""Performs what a sale asks for. Everything is looked at first: it may be done already, by us
before a crash, or by somebody else.

Read next: quire.market.sale_machine
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from quire.base.errors import (
    ChainUnreachable,
    InsufficientFunds,
    NotFound,
    PeerError,
    Reverted,
)
from quire.chain.port import Market
from quire.chain.values import (
    RequestId,
    SlotState,
    StorageRequest,
)
from quire.formats.cid import Cid
from quire.market.sale import (
    Cleaned,
    CleanUp,
    Deal,
    Download,
    Downloaded,
    Fill,
    Filled,
    GivenUp,
    Keep,
    Kept,
    Look,
    Prepare,
    Prove,
    Proved,
    Reserve,
    Sale,
    SaleEffect,
    SaleEvent,
    Seen,
    Stale,
    TakeBack,
    TakenBack,
    Unreserved,
    Watch,
)
from quire.services.offers import Offers
from quire.services.sale_entry import GONE, REMEMBERED_BLOCKS, SaleEntry
from quire.services.sale_ports import Keeping, ProofSource, SaleSettings, Watcher

REQUESTS_KEPT = 256


class SaleWork:
    """The effects of all sales of one node. `others` gives every sale that has not ended."""

    def __init__(
        self,
        market: Market,
        keeping: Keeping,
        proofs: ProofSource,
        periods: Watcher,
        offers: Offers,
        settings: SaleSettings,
        others: Callable[[], Sequence[Sale]],
    ) -> None:
        self._market = market
        self._keeping = keeping
        self._proofs = proofs
        self._periods = periods
        self._offers = offers
        self._settings = settings
        self._others = others
        self._entry = SaleEntry(market, offers, settings.slots_of_request, others)
        self._requests: dict[RequestId, StorageRequest] = {}

    async def perform(self, sale: Sale, effect: SaleEffect) -> SaleEvent | None:
        """Raises QuireError."""
        match effect:
            case Look():
                return await self._look(sale, effect)
            case Prepare():
                return await self._entry.prepare(sale, await self.request(sale.request_id))
            case Reserve():
                return await self._entry.reserve(sale, effect)
            case Download():
                return await self._download(sale, Downloaded())
            case Prove():
                return await self._prove(sale)
            case Fill():
                return await self._fill(sale)
            case Keep():
                return await self._download(sale, Kept())
            case Watch():
                deal = _deal(sale)
                cid = Cid.decode(deal.cid)
                self._periods.watch(sale.slot_id, cid, sale.slot_index, deal.end)
                return None
            case TakeBack():
                return await self._take_back(sale)
            case CleanUp():
                return await self._clean_up(sale)

    async def request(self, request_id: RequestId) -> StorageRequest:
        """From the chain, once. Raises UnknownRequest."""
        found = self._requests.get(request_id)
        if found is None:
            found = await self._market.request(request_id)
            while len(self._requests) >= REQUESTS_KEPT:
                del self._requests[next(iter(self._requests))]
            self._requests[request_id] = found
        return found

    # ---- looking ----

    async def _look(self, sale: Sale, look: Look) -> Seen:
        market = self._market
        state = await market.request_state(sale.request_id)
        [slot_state] = await market.slot_states([sale.slot_id])
        host = await market.host(sale.slot_id)
        if slot_state == SlotState.FILLED and host is None:
            raise ChainUnreachable("the chain was rewound while it was asked how the slot stands")
        is_ours = host == market.account
        end = await market.request_end(sale.request_id)
        now = int(market.clock.now())
        filled_at = 0
        if is_ours and (not sale.filled_at or look.is_rewound):
            filled_at = await self._filled_at(sale)
        return Seen(state, slot_state, is_ours, now, end, look.is_rewound, filled_at)

    async def _filled_at(self, sale: Sale, block: int | None = None) -> int:
        """To the second, because it is paid for; 0 when it is not known. `block`: of the filling,
        where it was seen."""
        if block is None:
            block = max(0, (await self._market.head()).number - REMEMBERED_BLOCKS)
        return await self._market.filled_at(sale.request_id, sale.slot_index, block) or 0

    # ---- the slot's data, filling ----

    async def _download(self, sale: Sale, done: SaleEvent) -> SaleEvent:
        request = await self.request(sale.request_id)

        def note(written: int) -> None:
            self._offers.note_written(sale.slot_id, written)

        try:
            await self._keeping.get(sale, request, note)
        except NotFound as error:  # whoever has it may come back
            raise PeerError(error.message) from error
        self._offers.note_written(sale.slot_id, _deal(sale).size, is_whole=True)
        return done

    async def _prove(self, sale: Sale) -> Proved:
        proof, until = await self._proofs.make(
            sale.slot_id,
            Cid.decode(_deal(sale).cid),
            sale.slot_index,
            is_again=sale.attempts > 0,
        )
        return Proved(proof, until)

    async def _fill(self, sale: Sale) -> SaleEvent:
        market = self._market
        now = int(market.clock.now())
        if await market.host(sale.slot_id) == market.account:
            return Filled(await self._filled_at(sale) or now)
        if now >= sale.proof_until:
            return Stale("the period of the proof is over")
        try:
            receipt = await market.fill_slot(sale.request_id, sale.slot_index, sale.proof)
        except InsufficientFunds as error:
            return Stale(error.message)
        except Reverted as error:
            if await market.host(sale.slot_id) == market.account:
                return Filled(await self._filled_at(sale) or now)  # what was sent before came first
            return _not_filled(error)
        return Filled(await self._filled_at(sale, receipt.block) or now)

    # ---- ends ----

    async def _take_back(self, sale: Sale) -> SaleEvent:
        market, deal = self._market, sale.deal
        if deal is None or await market.host(sale.slot_id) != market.account:
            return TakenBack(sale.payout, sale.returned)
        [state] = await market.slot_states([sale.slot_id])
        if state == SlotState.FILLED:  # freeing it now would cost the collateral
            return Filled(sale.filled_at)
        if state == SlotState.PAID:  # before a crash
            return TakenBack(_payout(sale, deal, state), deal.collateral)
        collateral = await market.current_collateral(sale.slot_id)
        recipient = self._settings.reward_recipient
        refusal = None
        try:
            await market.free_slot(sale.slot_id, recipient, recipient and market.account)
        except Reverted as error:  # or what was sent before came first
            refusal = error
        [after] = await market.slot_states([sale.slot_id])
        if refusal is not None and after != SlotState.PAID:
            raise refusal
        is_paid = after == SlotState.PAID
        payout = _payout(sale, deal, state) if is_paid else 0
        return TakenBack(payout, collateral if is_paid else 0)

    async def _clean_up(self, sale: Sale) -> Cleaned:
        self._periods.unwatch(sale.slot_id)
        others = [other for other in self._others() if other.slot_id != sale.slot_id]
        await self._keeping.drop(sale, others)
        return Cleaned()


def _deal(sale: Sale) -> Deal:
    assert sale.deal is not None
    return sale.deal


def _not_filled(error: Reverted) -> SaleEvent:
    """What a refusal of the contract means. Raises the error when it means nothing."""
    name = str(error.facts.get("name", "")).removeprefix("Marketplace_").removeprefix("Proofs_")
    match name:
        case "SlotNotFree":
            return GivenUp(GONE)
        case "ReservationRequired":
            return Unreserved()
        case "InvalidProof":
            return Stale("the contract did not accept the first proof")
        case "ProofAlreadySubmitted":
            return Stale("the slot was proved in this period by its last host", counts=False)
    raise error


def _payout(sale: Sale, deal: Deal, state: SlotState) -> int:
    """What the contract pays for the time in which the slot was held; 0 when that is not known."""
    if not sale.filled_at or state == SlotState.FAILED:
        return 0
    end = deal.expiry if state == SlotState.CANCELLED else deal.end
    return max(0, end - sale.filled_at) * deal.rate
