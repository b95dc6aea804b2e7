"""The JSON shapes of offers and sales; first the reference's (content.md 6.3), then ours.

Amounts of tokens are texts, because they do not fit the numbers of other languages."""

from __future__ import annotations

from typing import Any

from quire.chain.abi import id_text
from quire.chain.values import SlotId, StorageRequest
from quire.faces.rest.purchase_shapes import NoteBody, RequestBody, WaitsFor, request_body
from quire.faces.rest.shape import Shape
from quire.formats.cid import Cid
from quire.market.ledger import Account, Share
from quire.market.sale import Sale
from quire.market.slot_queue import SCALE, Chance
from quire.store.journal import Note


class AvailabilityBody(Shape, frozen=True):
    """`until`: unix seconds by which contracts have to end; 0: any time."""

    id: str
    total_size: int
    free_size: int
    duration: int
    min_price_per_byte_per_second: str
    total_collateral: str
    total_remaining_collateral: str
    enabled: bool
    until: int


class ReservationBody(Shape, frozen=True):
    """`size`: bytes of the slot that are not on the disk yet."""

    id: str
    availability_id: str
    size: int
    request_id: str
    slot_index: int
    valid_until: int


class SlotBody(Shape, frozen=True):
    request: RequestBody
    slot_index: int
    id: str


class SlotAgentBody(Shape, frozen=True):
    """`state`: SaleUnknown SalePreparing SaleSlotReserving SaleDownloading SaleInitialProving
    SaleFilling SaleFilled SaleProving SalePayout SaleFinished SaleFailed SaleCancelled SaleErrored
    SaleIgnored."""

    state: str
    request_id: str
    slot_index: int
    request: RequestBody | None
    reservation: ReservationBody | None


class SaleMoney(Shape, frozen=True):
    """`lost`: of the collateral, by the contract's judgement."""

    collateral: str
    reward_per_second: str
    payout: str
    returned: str
    lost: str


class SaleStatus(Shape, frozen=True):
    """A sale for people. `words`: what is going on; `trouble`: what is being tried again; times are
    unix seconds of the chain, 0 while they are not known."""

    slot_id: str
    request_id: str
    slot_index: int
    cid: str | None
    state: str
    words: str
    ended: bool
    repair: bool
    size: int
    filled_at: int
    expires_at: int
    ends_at: int
    waits_for: WaitsFor | None
    trouble: str | None
    money: SaleMoney | None
    offer: str | None
    reservation: ReservationBody | None
    proving: dict[str, Any] | None
    history: list[NoteBody]


class ChanceBody(Shape, frozen=True):
    """A slot that is for sale. `pricePerByteSecond`: the repair reward counted in; `collateral`:
    less that reward; `seen`: no offer had room for it; `notBefore`: unix seconds, 0 for none."""

    request_id: str
    slot_index: int
    size: int
    price_per_byte_second: str
    collateral: str
    fill_by: int
    repair: bool
    seen: bool
    not_before: int


class SaleList(Shape, frozen=True):
    """Sales, oldest first, and the slots that could be next, the best first."""

    sales: list[SaleStatus]
    queue: list[ChanceBody]


def availability_body(account: Account) -> AvailabilityBody:
    terms = account.terms
    return AvailabilityBody(
        id=id_text(terms.id),
        total_size=terms.total_size,
        free_size=account.free,
        duration=terms.duration,
        min_price_per_byte_per_second=str(terms.min_price_per_byte_per_second),
        total_collateral=str(terms.total_collateral),
        total_remaining_collateral=str(account.remaining),
        enabled=terms.is_enabled,
        until=terms.until,
    )


def reservation_body(share: Share) -> ReservationBody:
    return ReservationBody(
        id=id_text(share.id),
        availability_id=id_text(share.offer),
        size=share.reserved,
        request_id=id_text(share.request_id),
        slot_index=share.slot_index,
        valid_until=share.valid_until,
    )


def slot_body(request: StorageRequest, request_id: bytes, index: int, slot: SlotId) -> SlotBody:
    return SlotBody(request_body(request, request_id), index, id_text(slot))


def agent_body(sale: Sale, request: StorageRequest | None, share: Share | None) -> SlotAgentBody:
    return SlotAgentBody(
        state=sale.at.value,
        request_id=id_text(sale.request_id),
        slot_index=sale.slot_index,
        request=None if request is None else request_body(request, sale.request_id),
        reservation=None if share is None else reservation_body(share),
    )


def sale_status(
    sale: Sale,
    words: str,
    waits_for: tuple[str, float] | None,
    trouble: str | None,
    share: Share | None,
    proving: dict[str, object] | None,
    history: list[Note],
) -> SaleStatus:
    deal = sale.deal
    return SaleStatus(
        slot_id=id_text(sale.slot_id),
        request_id=id_text(sale.request_id),
        slot_index=sale.slot_index,
        cid=None if deal is None else str(Cid.decode(deal.cid)),
        state=sale.at.value,
        words=words,
        ended=sale.has_ended,
        repair=deal is not None and deal.is_repair,
        size=0 if deal is None else deal.size,
        filled_at=sale.filled_at,
        expires_at=0 if deal is None else deal.expiry,
        ends_at=0 if deal is None else deal.end,
        waits_for=None if waits_for is None else WaitsFor(*waits_for),
        trouble=trouble,
        money=_money(sale),
        offer=id_text(sale.offer) if sale.offer else None,
        reservation=None if share is None else reservation_body(share),
        proving=proving,
        history=[NoteBody(note.at, note.note) for note in history],
    )


def chance_body(chance: Chance) -> ChanceBody:
    whole, part = divmod(chance.rate, SCALE)
    return ChanceBody(
        request_id=id_text(chance.request_id),
        slot_index=chance.slot_index,
        size=chance.size,
        price_per_byte_second=f"{whole}.{part:018d}".rstrip("0").rstrip("."),
        collateral=str(chance.collateral),
        fill_by=chance.fill_by,
        repair=chance.is_repair,
        seen=chance.is_seen,
        not_before=chance.not_before,
    )


def _money(sale: Sale) -> SaleMoney | None:
    deal = sale.deal
    if deal is None:
        return None
    return SaleMoney(
        collateral=str(deal.collateral),
        reward_per_second=str(deal.rate),
        payout=str(sale.payout),
        returned=str(sale.returned),
        lost=str(sale.lost),
    )
