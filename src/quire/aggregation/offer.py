"""An aggregator's offer: its terms for one quote, signed by the account that is paid and by the key
of the peer, over the bytes as they were sent.

    Offer { 1 peer id, 2 payee, 3 chain id, 4 contract, 5 service, 6 quote hash, 7 price,
            8 price of the first part, 9 largest dataset, 10 key hash, 11 bond, 12 seconds,
            13 valid until }                                   amounts big-endian, shortest

Source   market.md 6.4
"""

from __future__ import annotations

from hashlib import sha256

from quire.aggregation.receipt import DOMAIN_NAME
from quire.aggregation.values import Offer, SignedOffer
from quire.base.errors import BadEncoding, BadOffer
from quire.chain.hub import HubDomain
from quire.channels.signed_offer import OfferKind, check_terms
from quire.formats.aggregator_asking import ADDRESS_BYTES, WORD_BYTES, QuoteRequest, read_service
from quire.formats.amount import decode_amount, encode_amount
from quire.formats.peer_id import encode_peer_id, public_key_of
from quire.formats.protobuf import Fields, bytes_field, uint_field
from quire.formats.signed_offer import MAX_OFFER_BYTES


def quote_hash(quote: QuoteRequest) -> bytes:
    """By which an offer names the quote that it answers."""
    return sha256(quote.encode()).digest()


def encode_offer(offer: Offer) -> bytes:
    """The bytes that are signed."""
    return b"".join(
        (
            bytes_field(1, offer.peer_id),
            bytes_field(2, offer.payee),
            uint_field(3, offer.chain_id),
            bytes_field(4, offer.contract),
            uint_field(5, offer.service),
            bytes_field(6, offer.quote_hash),
            bytes_field(7, encode_amount(offer.price)),
            bytes_field(8, encode_amount(offer.price_first)),
            uint_field(9, offer.max_bytes),
            bytes_field(10, offer.key_hash),
            bytes_field(11, encode_amount(offer.bond)),
            uint_field(12, offer.seconds),
            uint_field(13, offer.valid_until),
        )
    )


def decode_offer(data: bytes) -> Offer:
    """Unknown fields are skipped. Raises BadEncoding."""
    fields = Fields(data, max_bytes=MAX_OFFER_BYTES)
    peer_id = bytes(fields.blob(1))
    public_key_of(peer_id)
    offer = Offer(
        peer_id=peer_id,
        payee=fields.exactly(2, ADDRESS_BYTES, "the payee of an offer"),
        chain_id=fields.uint(3),
        contract=fields.exactly(4, ADDRESS_BYTES, "the contract of an offer"),
        service=read_service(fields, 5),
        quote_hash=fields.exactly(6, WORD_BYTES, "the hash of a quote"),
        price=decode_amount(fields.blob(7)),
        price_first=decode_amount(fields.blob(8)),
        max_bytes=fields.uint(9, bits=62),
        key_hash=fields.exactly(10, WORD_BYTES, "the hash of a key"),
        bond=decode_amount(fields.blob(11)),
        seconds=fields.uint(12, bits=40),
        valid_until=fields.uint(13, bits=62),
    )
    if offer.price_first > offer.price:
        raise BadEncoding(
            f"an offer asks {offer.price_first} first, more than the {offer.price} in all"
        )
    return offer


_KIND = OfferKind(DOMAIN_NAME, b"quire-aggregator-offer:", encode_offer, decode_offer)
sign_offer, open_offer = _KIND.sign, _KIND.open


def check_offer(
    signed: SignedOffer, peer_id: bytes, quote: QuoteRequest, domain: HubDomain, now: float
) -> None:
    """That it is this peer's, for this quote and this hub, and holds at `now`. Raises BadOffer."""
    offer = signed.offer
    check_terms(offer, peer_id, domain, now)
    if offer.service is not quote.service or offer.quote_hash != quote_hash(quote):
        peer = encode_peer_id(peer_id)
        raise BadOffer(f"the offer of {peer} answers another quote than was asked for")
