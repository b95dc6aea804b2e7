"""The JSON shapes of requests and purchases; first the reference's (content.md 6.3), then ours.

Amounts of tokens are texts, because they do not fit the numbers of other languages."""

from __future__ import annotations

from quire.base.errors import BadCid
from quire.chain.abi import address_text, id_text
from quire.chain.values import Ask, StorageRequest
from quire.faces.rest.shape import Shape
from quire.formats.cid import Cid
from quire.market.purchase import At, Purchase
from quire.market.quote import Planned, Quote
from quire.services.purchasing import BoughtSlot
from quire.store.journal import Note

TIMED_OUT = "Purchase cancelled due to timeout"  # in the words of the reference


class AskBody(Shape, frozen=True):
    proof_probability: str
    price_per_byte_per_second: str
    collateral_per_byte: str
    slots: int
    slot_size: int
    duration: int
    max_slot_loss: int


class ContentBody(Shape, frozen=True):
    cid: str


class RequestBody(Shape, frozen=True):
    """`expiry`: seconds from the creation of the request."""

    client: str
    ask: AskBody
    content: ContentBody
    expiry: int
    nonce: str
    id: str


class PurchaseBody(Shape, frozen=True):
    """`state`: pending submitted started finished failed cancelled errored unknown."""

    request_id: str
    request: RequestBody | None
    state: str
    error: str | None


class WaitsFor(Shape, frozen=True):
    """`at`: unix seconds, of the chain unless nothing of the chain is waited for."""

    reason: str
    at: float


class BoughtSlotBody(Shape, frozen=True):
    """`state`: free filled finished failed paid cancelled repair."""

    index: int
    id: str
    state: str
    host: str | None


class NoteBody(Shape, frozen=True):
    at: float
    note: str


class MoneyBody(Shape, frozen=True):
    """`maxPrice` was paid in; `withdrawn`: what hosts did not earn is back. `collateral`: what
    all hosts together pay in."""

    max_price: str
    price_per_day: str
    collateral: str
    withdrawn: bool


class PurchaseStatus(Shape, frozen=True):
    """A purchase for people. `words`: what is going on; `trouble`: what is being tried again."""

    request_id: str
    cid: str | None
    state: str
    words: str
    ended: bool
    expires_at: int
    ends_at: int
    waits_for: WaitsFor | None
    trouble: str | None
    money: MoneyBody | None
    request: RequestBody | None
    slots: list[BoughtSlotBody]
    history: list[NoteBody]


class PurchaseList(Shape, frozen=True):
    purchases: list[PurchaseStatus]


class QuoteBody(Shape, frozen=True):
    """What a request costs. `paidBytes`: slots with their padding; `gas`: an estimate;
    `affordable` is false when `missing` tokens are missing."""

    cid: str
    nodes: int
    tolerance: int
    duration: int
    expiry: int
    proof_probability: str
    price_per_byte_per_second: str
    collateral_per_byte: str
    slot_size: int
    dataset_size: int
    paid_bytes: int
    max_price: str
    price_per_day: str
    collateral_per_slot: str
    collateral: str
    proofs_per_slot: float
    gas: int
    account: str
    balance: str
    gas_balance: str
    missing: str
    affordable: bool
    nines: float | None


def request_body(request: StorageRequest, request_id: bytes) -> RequestBody:
    return RequestBody(
        client="0x" + request.client.hex(),
        ask=ask_body(request.ask),
        content=ContentBody(_cid_text(request)),
        expiry=request.expiry,
        nonce=id_text(request.nonce),
        id=id_text(request_id),
    )


def ask_body(ask: Ask) -> AskBody:
    return AskBody(
        proof_probability=str(ask.proof_probability),
        price_per_byte_per_second=str(ask.price_per_byte_per_second),
        collateral_per_byte=str(ask.collateral_per_byte),
        slots=ask.slots,
        slot_size=ask.slot_size,
        duration=ask.duration,
        max_slot_loss=ask.max_slot_loss,
    )


def purchase_body(purchase: Purchase) -> PurchaseBody:
    error = purchase.error or (TIMED_OUT if purchase.at is At.CANCELLED else None)
    return PurchaseBody(
        request_id=id_text(purchase.request_id),
        request=_request(purchase),
        state=purchase.at.value,
        error=error,
    )


def purchase_status(
    purchase: Purchase,
    words: str,
    waits_for: tuple[str, float] | None,
    trouble: str | None,
    slots: list[BoughtSlot],
    history: list[Note],
) -> PurchaseStatus:
    request = purchase.request
    return PurchaseStatus(
        request_id=id_text(purchase.request_id),
        cid=None if request is None else _cid_text(request),
        state=purchase.at.value,
        words=words,
        ended=waits_for is None,
        expires_at=purchase.expires_at,
        ends_at=purchase.ends_at,
        waits_for=None if waits_for is None else WaitsFor(*waits_for),
        trouble=trouble,
        money=None if request is None else _money(request.ask, purchase.is_withdrawn),
        request=_request(purchase),
        slots=[
            BoughtSlotBody(
                index=slot.index,
                id=id_text(slot.slot_id),
                state=slot.state.name.lower(),
                host=None if slot.host is None else address_text(slot.host),
            )
            for slot in slots
        ],
        history=[NoteBody(note.at, note.note) for note in history],
    )


def quote_body(cid: Cid, quote: Quote, account: bytes, plan: Planned | None) -> QuoteBody:
    bid, ask = quote.bid, quote.ask
    return QuoteBody(
        cid=str(cid),
        nodes=bid.nodes,
        tolerance=bid.tolerance,
        duration=bid.duration,
        expiry=bid.expiry,
        proof_probability=str(bid.proof_probability),
        price_per_byte_per_second=str(bid.price_per_byte_per_second),
        collateral_per_byte=str(bid.collateral_per_byte),
        slot_size=ask.slot_size,
        dataset_size=quote.dataset_size,
        paid_bytes=quote.paid_bytes,
        max_price=str(quote.max_price),
        price_per_day=str(ask.price_per_day),
        collateral_per_slot=str(ask.collateral_per_slot),
        collateral=str(quote.collateral),
        proofs_per_slot=round(quote.proofs_per_slot, 3),
        gas=quote.gas,
        account=address_text(account),
        balance=str(quote.balance),
        gas_balance=str(quote.gas_balance),
        missing=str(quote.missing),
        affordable=quote.missing == 0 and quote.gas_balance > 0,
        nines=None if plan is None else round(plan.nines, 3),
    )


def _money(ask: Ask, is_withdrawn: bool) -> MoneyBody:
    return MoneyBody(
        max_price=str(ask.max_price),
        price_per_day=str(ask.price_per_day),
        collateral=str(ask.collateral_per_slot * ask.slots),
        withdrawn=is_withdrawn,
    )


def _request(purchase: Purchase) -> RequestBody | None:
    if purchase.request is None:
        return None
    return request_body(purchase.request, purchase.request_id)


def _cid_text(request: StorageRequest) -> str:
    """The CID; of bytes that are none, the bytes: other clients may write what they like."""
    try:
        return str(Cid.decode(request.content.cid))
    except BadCid:
        return "0x" + request.content.cid.hex()
