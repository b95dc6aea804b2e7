"""A provider's offer: its terms, signed by the account that is paid and by the key of the peer.

    Offer { 1 peer id, 2 payee, 3 chain id, 4 contract, 5-7 prices (big-endian), 8 free bytes,
            9 longest term, 10 credit, 11 valid until, 12 operator }

Source   point.md 6.4
"""

from __future__ import annotations

from quire.base.errors import BadEncoding
from quire.base.invariant import invariant
from quire.chain.hub import HubDomain
from quire.chain.values import ADDRESS_BYTES
from quire.channels.signed_offer import OfferKind, check_terms
from quire.formats.amount import MAX_AMOUNT_BYTES, encode_amount
from quire.formats.peer_id import public_key_of
from quire.formats.protobuf import Fields, bytes_field, uint_field
from quire.formats.signed_offer import MAX_OFFER_BYTES
from quire.point.receipt import DOMAIN_NAME
from quire.point.values import Offer, SignedOffer

MAX_OPERATOR_BYTES = 64
_PRICES = {5: "price_byte_second", 6: "price_get_byte", 7: "fee_put_byte"}


def encode_offer(offer: Offer) -> bytes:
    """The bytes that are signed."""
    invariant(len(offer.operator) <= MAX_OPERATOR_BYTES, "an operator's name is too long")
    return b"".join(
        (
            bytes_field(1, offer.peer_id),
            bytes_field(2, offer.payee),
            uint_field(3, offer.chain_id),
            bytes_field(4, offer.contract),
            *(bytes_field(number, _big(getattr(offer, name))) for number, name in _PRICES.items()),
            uint_field(8, offer.free_bytes),
            uint_field(9, offer.max_seconds),
            uint_field(10, offer.credit_bytes),
            uint_field(11, offer.valid_until),
            bytes_field(12, offer.operator),
        )
    )


def decode_offer(data: bytes) -> Offer:
    """Unknown fields are skipped. Raises BadEncoding."""
    fields = Fields(data, max_bytes=MAX_OFFER_BYTES)
    peer_id, operator = bytes(fields.blob(1)), bytes(fields.blob(12))
    public_key_of(peer_id)
    addresses = [bytes(fields.blob(number)) for number in (2, 4)]
    if any(len(address) != ADDRESS_BYTES for address in addresses):
        raise BadEncoding(f"payee and contract of an offer have {ADDRESS_BYTES} bytes each")
    if len(operator) > MAX_OPERATOR_BYTES:
        raise BadEncoding(
            f"the operator of an offer has {len(operator)} bytes, at most {MAX_OPERATOR_BYTES}"
        )
    return Offer(
        peer_id=peer_id,
        payee=addresses[0],
        chain_id=fields.uint(3),
        contract=addresses[1],
        price_byte_second=_price(fields, 5),
        price_get_byte=_price(fields, 6),
        fee_put_byte=_price(fields, 7),
        free_bytes=fields.uint(8),
        max_seconds=fields.uint(9),
        credit_bytes=fields.uint(10),
        valid_until=fields.uint(11),
        operator=operator,
    )


def check_offer(signed: SignedOffer, peer_id: bytes, domain: HubDomain, now: float) -> None:
    """That it is this peer's, for this hub, and holds at `now`. Raises BadOffer."""
    check_terms(signed.offer, peer_id, domain, now)


def _big(value: int) -> bytes:
    """Big-endian without leading zeros; 0 is empty."""
    invariant(0 <= value < 1 << 8 * MAX_AMOUNT_BYTES, "a price is a number of 256 bits")
    return encode_amount(value)


def _price(fields: Fields, number: int) -> int:
    data = fields.blob(number)
    if len(data) > MAX_AMOUNT_BYTES:
        raise BadEncoding(f"{_PRICES[number]} of an offer has more than {MAX_AMOUNT_BYTES} bytes")
    return int.from_bytes(data, "big")


_KIND = OfferKind(DOMAIN_NAME, b"quire-offer:", encode_offer, decode_offer)
sign_offer, open_offer = _KIND.sign, _KIND.open
