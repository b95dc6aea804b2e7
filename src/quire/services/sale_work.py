"""Performs what a sale asks for. Everything is looked at first: it may be done already, by us
before a crash, or by somebody else.

Read next: quire.market.sale_machine
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from quire.base.errors import (
    InputError,
    InsufficientFunds,
    NotFound,
    PeerError,
    Reverted,
)
from quire.base.units import format_time
from quire.chain.events import SlotReserved
from quire.chain.port import Market
from quire.chain.terms import Extensions
from quire.chain.values import (
    Address,
    RequestId,
    RequestState,
    SlotId,
    SlotState,
    StorageRequest,
)
from quire.formats.cid import Cid, is_manifest
from quire.market.ledger import Account
from quire.market.sale import (
    BEFORE_FILL,
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
    Later,
    Look,
    Prepare,
    Prepared,
    Prove,
    Proved,
    Reserve,
    Reserved,
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
from quire.market.slot_queue import SLOTS_MAX
from quire.services.offers import Offers, share_of

REQUESTS_KEPT = 256
REMEMBERED_BLOCKS = 50_000  # in which an own reservation is looked for
GONE = "another host filled the slot first"


@dataclass(frozen=True, slots=True)
class SaleSettings:
    """How this host sells.

    reward_recipient  who gets payouts; None: the account itself, as its collateral always
    slots_of_request  that this host takes at most of one request; 0: as many as it gets
    """

    reward_recipient: Address | None = None
    slots_of_request: int = 0


class Keeping(Protocol):
    """The data of slots: services.slot_keeping."""

    async def get(
        self, sale: Sale, request: StorageRequest, on_bytes: Callable[[int], None]
    ) -> None: ...

    async def extend(self, sale: Sale) -> None: ...

    async def drop(self, sale: Sale, others: Sequence[Sale]) -> None: ...


class ProofSource(Protocol):
    """First proofs: services.first_proof."""

    @property
    def seconds(self) -> float | None: ...

    async def make(
        self, slot_id: SlotId, cid: Cid, slot_index: int, *, is_again: bool
    ) -> tuple[bytes, int]: ...


class Watcher(Protocol):
    """Proves slots period after period: services.period_prover."""

    def watch(self, slot_id: SlotId, cid: Cid, slot_index: int, request_end: int) -> None: ...

    def unwatch(self, slot_id: SlotId) -> None: ...

    def state(self, slot_id: SlotId) -> dict[str, object]:
        """As data for the API. Raises NotFound."""


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
        self._requests: dict[RequestId, StorageRequest] = {}

    async def perform(self, sale: Sale, effect: SaleEffect) -> SaleEvent | None:
        """Raises QuireError."""
        match effect:
            case Look():
                return await self._look(sale, effect)
            case Prepare():
                return await self._prepare(sale)
            case Reserve():
                return await self._reserve(sale, effect)
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
        is_ours = await market.host(sale.slot_id) == market.account
        end = await market.request_end(sale.request_id)
        now = int(market.clock.now())
        return Seen(state, slot_state, is_ours, now, end, look.is_rewound)

    async def _prepare(self, sale: Sale) -> SaleEvent:
        market = self._market
        request = await self.request(sale.request_id)
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
        most = self._settings.slots_of_request
        if most and len(mine) >= most:
            why = f"this host has {len(mine)} slots of the request, its most"
            return GivenUp(why, is_again=True, at=now + self._market.terms.period)
        ask = request.ask
        if deal.is_repair:
            ask = replace(ask, duration=max(0, deal.end - now))
        account = self._offers.ledger.match(ask, deal.end)
        if not isinstance(account, Account):
            return GivenUp(f"no offer has room for it: {account}", is_again=True)
        if why := await self._too_poor(sale, deal):
            return GivenUp(why, is_again=True, at=now + self._market.terms.period)
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
            if other.at in BEFORE_FILL and other.deal is not None and other != sale
        )
        balance = await self._market.balance()
        if balance < due:
            return f"the account has {balance} tokens; {due} are needed as collateral"
        return ""

    def _due(self, deal: Deal) -> int:
        share = self._market.terms.repair_reward_percentage if deal.is_repair else 0
        return deal.collateral - deal.collateral * share // 100

    # ---- reserving and filling ----

    async def _reserve(self, sale: Sale, effect: Reserve) -> SaleEvent:
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
        later = await self._eligible(sale, _deal(sale))
        if later is not None:
            return later
        terms = self._market.terms
        why = "other hosts have reserved the slot, or it is not open yet"
        if Extensions.DISPERSAL in terms.extensions:  # reservations lose their places in time
            at = int(self._market.clock.now()) + terms.dispersal.ttl
            return GivenUp(why, is_again=at < _deal(sale).fill_by, at=at)
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
            return Filled(sale.filled_at or now)
        if now >= sale.proof_until:
            return Stale("the period of the proof is over")
        try:
            receipt = await market.fill_slot(sale.request_id, sale.slot_index, sale.proof)
        except InsufficientFunds as error:
            return Stale(error.message)
        except Reverted as error:
            if await market.host(sale.slot_id) == market.account:
                return Filled(int(market.clock.now()))  # what was sent before came first
            return _not_filled(error)
        head = await market.head()
        is_same = head.number == receipt.block
        return Filled(head.timestamp if is_same else int(market.clock.now()))

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
        await market.free_slot(sale.slot_id, recipient, recipient and market.account)
        [after] = await market.slot_states([sale.slot_id])
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


def _unfit(request: StorageRequest, slot_index: int) -> str:
    """Why nobody could serve the slot; "" when one can."""
    if not slot_index < request.ask.slots <= SLOTS_MAX:
        return f"the request has {request.ask.slots} slots; from 1 to {SLOTS_MAX} are taken"
    try:
        cid = Cid.decode(request.content.cid)
    except InputError as error:
        return f"the CID of the request cannot be read: {error.message}"
    return "" if is_manifest(cid) else f"{cid} is not the CID of a dataset"


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
