"""A receipt: a provider's signature under all terms of one replica (EIP-712).

Its bytes are the ABI encoding of the struct, 11 words of 32 bytes; the client compares every field
with what it asked for and with the offer before anything is paid.

Source   point.md 6.4; the domain is the payment hub's with the name "QuireReplica"
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from quire.base.errors import BadEncoding, PeerLied
from quire.base.invariant import invariant
from quire.chain.eip712 import domain_separator, number_word, type_hash, typed_digest
from quire.chain.hub import HubDomain
from quire.chain.values import ADDRESS_BYTES, Address
from quire.channels.signed_offer import Sign
from quire.channels.voucher import SIGNATURE_BYTES
from quire.kernels.keccak import keccak256
from quire.kernels.signing import recover_address
from quire.point.values import (
    BLOCK_BYTES,
    LINK_ID_BYTES,
    LinkId,
    Receipt,
    ReceiptTerms,
    SignedOffer,
)

DOMAIN_NAME = b"QuireReplica"
RECEIPT_TYPE = (
    b"Receipt(bytes32 linkId,address client,address provider,bytes32 peer,bytes32 sealedRoot,"
    b"uint64 sealedBytes,uint32 blockSize,uint64 startsAt,uint64 expiresAt,"
    b"uint256 pricePerByteSecond,bytes32 offerHash)"
)
WORD_BYTES = 32
TYPED_BYTES = 11 * WORD_BYTES
SKEW_SECONDS = 300  # between the chain as the two sides see it
_BITS = {"sealed_bytes": 64, "block_size": 32, "starts_at": 64, "expires_at": 64}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client wants to read in the receipt. It starts between `starts_from` and `starts_to`,
    both included; `sealed_root` is the digest of the tree CID that the client computed."""

    link_id: LinkId
    client: Address
    offer: SignedOffer
    sealed_root: bytes
    sealed_bytes: int
    starts_from: int
    starts_to: int
    expires_at: int


def encode_terms(terms: ReceiptTerms) -> bytes:
    """352 bytes, ABI."""
    lengths = (
        len(terms.link_id) == LINK_ID_BYTES
        and len(terms.client) == len(terms.provider) == ADDRESS_BYTES
        and len(terms.peer) == len(terms.sealed_root) == len(terms.offer_hash) == WORD_BYTES
    )
    numbers = all(0 <= getattr(terms, name) < 1 << bits for name, bits in _BITS.items())
    invariant(lengths and numbers, "a receipt has fields of another length or size")
    return b"".join(
        (
            terms.link_id.ljust(WORD_BYTES, b"\0"),
            terms.client.rjust(WORD_BYTES, b"\0"),
            terms.provider.rjust(WORD_BYTES, b"\0"),
            terms.peer,
            terms.sealed_root,
            number_word(terms.sealed_bytes),
            number_word(terms.block_size),
            number_word(terms.starts_at),
            number_word(terms.expires_at),
            number_word(terms.price_byte_second),
            terms.offer_hash,
        )
    )


def decode_terms(data: bytes) -> ReceiptTerms:
    """What `encode_terms` was given; one encoding only. Raises BadEncoding."""
    if len(data) != TYPED_BYTES:
        raise BadEncoding(f"a receipt has {TYPED_BYTES} bytes, not {len(data)}")
    words = [data[at : at + WORD_BYTES] for at in range(0, TYPED_BYTES, WORD_BYTES)]
    if any(words[0][LINK_ID_BYTES:]):
        raise BadEncoding("the link id of a receipt is followed by something else than zeros")
    if any(any(word[:-ADDRESS_BYTES]) for word in words[1:3]):
        raise BadEncoding("an address in a receipt has more than 20 bytes")
    return ReceiptTerms(
        link_id=words[0][:LINK_ID_BYTES],
        client=words[1][-ADDRESS_BYTES:],
        provider=words[2][-ADDRESS_BYTES:],
        peer=words[3],
        sealed_root=words[4],
        sealed_bytes=_number("sealed_bytes", words[5]),
        block_size=_number("block_size", words[6]),
        starts_at=_number("starts_at", words[7]),
        expires_at=_number("expires_at", words[8]),
        price_byte_second=int.from_bytes(words[9], "big"),
        offer_hash=words[10],
    )


def receipt_digest(domain: HubDomain, terms: ReceiptTerms) -> bytes:
    """What is signed, 32 bytes."""
    content = keccak256(type_hash(RECEIPT_TYPE) + encode_terms(terms))
    return typed_digest(domain_separator(domain, DOMAIN_NAME), content)


def sign_receipt(sign: Sign, domain: HubDomain, terms: ReceiptTerms) -> Receipt:
    """`sign` of a digest, as Ethereum does. The same terms give the same receipt."""
    return Receipt(terms, sign(receipt_digest(domain, terms)))


def check_receipt(receipt: Receipt, asked: Asked, domain: HubDomain) -> None:
    """Every field, and that the offer's payee signed it. Raises PeerLied, which names the field."""
    terms, offer = receipt.terms, asked.offer.offer
    expected: dict[str, bytes | int] = {
        "link_id": asked.link_id,
        "client": asked.client,
        "provider": offer.payee,
        "peer": sha256(offer.peer_id).digest(),
        "sealed_root": asked.sealed_root,
        "sealed_bytes": asked.sealed_bytes,
        "block_size": BLOCK_BYTES,
        "expires_at": asked.expires_at,
        "price_byte_second": offer.price_byte_second,
        "offer_hash": asked.offer.digest,
    }
    for name, value in expected.items():
        found = getattr(terms, name)
        if found != value:
            raise PeerLied(
                f"the receipt says {name} {_shown(found)} where {_shown(value)} was agreed"
            )
    if not asked.starts_from <= terms.starts_at <= asked.starts_to:
        raise PeerLied(
            f"the receipt says starts_at {terms.starts_at}, which is not between "
            f"{asked.starts_from} and {asked.starts_to}"
        )
    signer = None
    if len(receipt.signature) == SIGNATURE_BYTES:
        signer = recover_address(receipt.signature, receipt_digest(domain, terms))
    if signer != offer.payee:
        by = "nobody" if signer is None else f"0x{signer.hex()}"
        raise PeerLied(f"the receipt's signature is by {by}, not by the payee of the offer")


def _number(name: str, word: bytes) -> int:
    value = int.from_bytes(word, "big")
    if value >> _BITS[name]:
        raise BadEncoding(f"{name} of a receipt is above {_BITS[name]} bits")
    return value


def _shown(value: bytes | int) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
