"""A provider's offer: its terms, signed by the account that is paid and by the key of the peer.

    Offer { 1 peer id, 2 payee, 3 chain id, 4 contract, 5-7 prices (big-endian), 8 free bytes,
            9 longest term, 10 credit, 11 valid until, 12 operator }

Both signatures are over the digest of the bytes as they were sent, so that fields which are not
known here are signed as well. One proves that the payee stands behind the terms, the other that it
is this peer whom he means.

Source   point.md 6.4
"""

from __future__ import annotations

from hashlib import sha256

from quire.base.errors import BadEncoding, BadOffer
from quire.base.invariant import invariant
from quire.chain.hub import HubDomain
from quire.chain.values import ADDRESS_BYTES
from quire.channels.voucher import domain_separator
from quire.formats.peer_id import encode_peer_id, public_key_of
from quire.formats.protobuf import Fields, bytes_field, uint_field
from quire.kernels.keccak import keccak256
from quire.kernels.signing import recover_address, verify
from quire.point.receipt import DOMAIN_NAME, Sign
from quire.point.values import Offer, SignedOffer

MAX_OFFER_BYTES = 1024
MAX_OPERATOR_BYTES = 64
OFFER_TYPE = b"Offer(bytes32 digest)"
PEER_PREFIX = b"quire-offer:"
_PRICES = {5: "price_byte_second", 6: "price_get_byte", 7: "fee_put_byte"}
_PRICE_BYTES = 32


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


def offer_digest(domain: HubDomain, digest: bytes) -> bytes:
    """What the payee signs, 32 bytes."""
    content = keccak256(keccak256(OFFER_TYPE) + digest)
    return keccak256(b"\x19\x01" + domain_separator(domain, DOMAIN_NAME) + content)


def sign_offer(offer: Offer, sign_payee: Sign, sign_peer: Sign) -> SignedOffer:
    """`sign_payee` of a digest, as Ethereum does; `sign_peer` of a message, DER."""
    data = encode_offer(offer)
    digest = sha256(data).digest()
    domain = HubDomain(offer.chain_id, offer.contract)
    return SignedOffer(
        offer,
        data,
        digest,
        sign_payee(offer_digest(domain, digest)),
        sign_peer(PEER_PREFIX + digest),
    )


def open_offer(data: bytes, sig_payee: bytes, sig_peer: bytes) -> SignedOffer:
    """An offer as it was received, with both signatures checked.

    Raises   BadEncoding  no offer
             BadOffer     not signed by its payee or by its peer
    """
    offer = decode_offer(data)
    digest = sha256(data).digest()
    domain = HubDomain(offer.chain_id, offer.contract)
    peer = encode_peer_id(offer.peer_id)
    if recover_address(sig_payee, offer_digest(domain, digest)) != offer.payee:
        raise BadOffer(f"the offer of {peer} is not signed by its payee 0x{offer.payee.hex()}")
    if not verify(public_key_of(offer.peer_id), sig_peer, PEER_PREFIX + digest):
        raise BadOffer(f"the offer of {peer} is not signed by that peer")
    return SignedOffer(offer, data, digest, sig_payee, sig_peer)


def check_offer(signed: SignedOffer, peer_id: bytes, domain: HubDomain, now: float) -> None:
    """That it is this peer's, for this hub, and holds at `now`. Raises BadOffer."""
    offer = signed.offer
    peer = encode_peer_id(peer_id)
    if offer.peer_id != peer_id:
        raise BadOffer(f"{peer} gave an offer of {encode_peer_id(offer.peer_id)}")
    if (offer.chain_id, offer.contract) != (domain.chain_id, domain.contract):
        raise BadOffer(
            f"the offer of {peer} is for hub 0x{offer.contract.hex()} on chain {offer.chain_id}, "
            f"this node pays through 0x{domain.contract.hex()} on chain {domain.chain_id}"
        )
    if offer.valid_until < now:
        raise BadOffer(
            f"the offer of {peer} held until {offer.valid_until}, now it is {now:.0f}; ask again"
        )


def _big(value: int) -> bytes:
    """Big-endian without leading zeros; 0 is empty."""
    invariant(0 <= value < 1 << 8 * _PRICE_BYTES, "a price is a number of 256 bits")
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _price(fields: Fields, number: int) -> int:
    data = fields.blob(number)
    if len(data) > _PRICE_BYTES:
        raise BadEncoding(f"{_PRICES[number]} of an offer has more than {_PRICE_BYTES} bytes")
    return int.from_bytes(data, "big")
