"""The way into a sale: is the slot for sale, is the window open, is there room, can it be paid, and
is it reserved in the contract.

Source   market.md 3.5, 4.3 (SalePreparing, SaleSlotReserving)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from quire.base.errors import InputError, Reverted
from quire.base.units import format_time
from quire.chain.events import SlotReserved
from quire.chain.port import Market
from quire.chain.terms import Extensions
from quire.chain.values import RequestState, SlotState, StorageRequest
from quire.formats.cid import Cid, is_manifest
from quire.market.ledger import Account
from quire.market.sale import (
    BEFORE_FILL,
    Deal,
    GivenUp,
    Later,
    Prepared,
    Reserve,
    Reserved,
    Sale,
    SaleEvent,
)
from quire.market.slot_queue import SLOTS_MAX
from quire.services.offers import Offers, share_of

REMEMBERED_BLOCKS = 50_000  # in which an own reservation is looked for
GONE = "another host filled the slot first"


class SaleEntry:
    """`others` gives every sale that has not ended; `slots_of_request` as in SaleSettings."""

    def __init__(
        self,
        market: Market,
        offers: Offers,
        slots_of_request: int,
        others: Callable[[], Sequence[Sale]],
    ) -> None:
        self._market = market
        self._offers = offers
        self._slots_of_request = slots_of_request
        self._others = others

    async def prepare(self, sale: Sale, request: StorageRequest) -> SaleEvent:
        """-> Prepared, with its share of an offer put aside; Later, GivenUp."""
        market = self._market
        state = await market.request_state(sale.request_id)
        [slot_state] = await market.slot_states([sale.slot_id])
        if state not in (RequestState.NEW, RequestState.STARTED):
            return GivenUp("the request is not open any more")
        if slot_state not in (SlotState.FREE, SlotState.REPAIR):
            return GivenUp(GONE)
        if why := _unfit(request, sale.slot_index):
            return GivenUp(why)
        deal = Deal.of(
            request,
            await market.request_expiry(sale.request_id),
            await market.request_end(sale.request_id),
            is_repair=slot_state == SlotState.REPAIR,
            is_started=state == RequestState.STARTED,
        )
        later = await self._eligible(sale, deal)
        if later is not None:
            return later
        return await self._find_room(sale, request, deal)

    async def _eligible(self, sale: Sale, deal: Deal) -> SaleEvent | None:
        """What to do instead while the window is not open for this host."""
        at = await self._market.eligible_from(sale.request_id, sale.slot_index)
        if at <= self._market.clock.now():
            return None
        if at >= deal.fill_by:
            return GivenUp("the window opens for this host only when it is too late")
        return Later(at, f"this host may reserve the slot from {format_time(at)} on")

    async def _find_room(self, sale: Sale, request: StorageRequest, deal: Deal) -> SaleEvent:
        now = int(self._market.clock.now())
        mine = [s for s in self._others() if s.request_id == sale.request_id and s.offer]
        most = self._slots_of_request
        if most and len(mine) >= most:
            why = f"this host has {len(mine)} slots of the request, its most"
            return GivenUp(why, is_again=True, at=now + self._market.terms.period)
        if why := await self._too_poor(sale, deal):
            return GivenUp(why, is_again=True, at=now + self._market.terms.period)
        ask = request.ask
        if deal.is_repair:
            ask = replace(ask, duration=max(0, deal.end - now))
        account = self._offers.ledger.match(ask, deal.end)
        if not isinstance(account, Account):
            return GivenUp(f"no offer has room for it: {account}", is_again=True)
        prepared = replace(sale, deal=deal, offer=account.terms.id)
        self._offers.reserve(share_of(prepared, 0))
        return Prepared(deal, account.terms.id)

    async def _too_poor(self, sale: Sale, deal: Deal) -> str:
        """Why the account cannot pay for it, beside what it is about to pay for others."""
        if await self._market.gas_balance() <= 0:
            return "the account has nothing to pay transactions with; send it some"
        due = self._due(deal) + sum(
            self._due(other.deal)
            for other in self._others()
            if other.at in BEFORE_FILL and other.deal is not None and other.slot_id != sale.slot_id
        )
        balance = await self._market.balance()
        if balance < due:
            return f"the account has {balance} tokens; {due} are needed as collateral"
        return ""

    def _due(self, deal: Deal) -> int:
        share = self._market.terms.repair_reward_percentage if deal.is_repair else 0
        return deal.collateral - deal.collateral * share // 100

    async def reserve(self, sale: Sale, effect: Reserve) -> SaleEvent:
        """-> Reserved, Later, GivenUp."""
        market, slot = self._market, (sale.request_id, sale.slot_index)
        if not await market.can_reserve(*slot):
            return await self._not_reserved(sale, effect.is_resumed)
        try:
            await market.reserve_slot(*slot)
        except Reverted:
            return await self._not_reserved(sale, is_resumed=True)
        return Reserved()

    async def _not_reserved(self, sale: Sale, is_resumed: bool) -> SaleEvent:
        """It cannot be reserved now: because we have done it, are too early, or too late."""
        [state] = await self._market.slot_states([sale.slot_id])
        if state not in (SlotState.FREE, SlotState.REPAIR):
            return GivenUp(GONE)
        if is_resumed and await self._may_be_reserved(sale):
            return Reserved()
        assert sale.deal is not None
        later = await self._eligible(sale, sale.deal)
        if later is not None:
            return later
        terms = self._market.terms
        why = "other hosts have reserved the slot, or it is not open yet"
        if Extensions.DISPERSAL in terms.extensions:  # reservations lose their places in time
            at = int(self._market.clock.now()) + terms.dispersal.ttl
            return GivenUp(why, is_again=at < sale.deal.fill_by, at=at)
        return GivenUp(why)

    async def _may_be_reserved(self, sale: Sale) -> bool:
        """Whether this account seems to have reserved the slot. A contract that does not tell
        reservations leaves it open; filling will show."""
        market = self._market
        if Extensions.DISPERSAL not in market.terms.extensions:
            return True
        head = await market.head()
        told = await market.past_events(max(0, head.number - REMEMBERED_BLOCKS))
        return any(
            isinstance(event, SlotReserved)
            and (event.request_id, event.slot_index) == (sale.request_id, sale.slot_index)
            and event.host == market.account
            for event in told
        )


def _unfit(request: StorageRequest, slot_index: int) -> str:
    """Why nobody could serve the slot; "" when one can."""
    if not slot_index < request.ask.slots <= SLOTS_MAX:
        return f"the request has {request.ask.slots} slots; from 1 to {SLOTS_MAX} are taken"
    try:
        cid = Cid.decode(request.content.cid)
    except InputError as error:
        return f"the CID of the request cannot be read: {error.message}"
    return "" if is_manifest(cid) else f"{cid} is not the CID of a dataset"
