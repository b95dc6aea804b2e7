"""What a node offers for pay, signed by the account that is paid and by the key of the peer.

Both signatures are over the digest of the bytes as they were sent, so that fields which are not
known here are signed as well. One proves that the payee stands behind the terms, the other that it
is this peer whom he means.

Source   point.md 6.4; market.md 6.4
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Generic, Protocol, TypeAlias, TypeVar

from quire.base.errors import BadOffer
from quire.chain.eip712 import domain_separator, hash_digest
from quire.chain.hub import HubDomain
from quire.chain.values import Address
from quire.formats.peer_id import encode_peer_id, public_key_of
from quire.kernels.signing import recover_address, verify

OFFER_TYPE = b"Offer(bytes32 digest)"

Sign: TypeAlias = Callable[[bytes], bytes]  # of a digest of 32 bytes: 65 bytes; or of a message


class OfferTerms(Protocol):
    """What all offers say. `contract`: of the hub that is paid through; `valid_until`: unix seconds
    of the chain."""

    @property
    def peer_id(self) -> bytes: ...

    @property
    def payee(self) -> Address: ...

    @property
    def chain_id(self) -> int: ...

    @property
    def contract(self) -> Address: ...

    @property
    def valid_until(self) -> int: ...


T = TypeVar("T", bound=OfferTerms)


@dataclass(frozen=True)  # with slots its alias for a kind could not be called (Python 3.11)
class SignedOffer(Generic[T]):
    """`data` is the offer as it was signed; `digest` its SHA-256, by which it is called.

    sig_payee  EIP-712 Offer(bytes32 digest) under the hub's domain with the name of the kind
    sig_peer   DER, by the libp2p key, over the prefix of the kind and the digest
    """

    offer: T
    data: bytes
    digest: bytes
    sig_payee: bytes = field(repr=False)
    sig_peer: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OfferKind(Generic[T]):
    """Offers of one kind: how they are written and under what they are signed."""

    domain_name: bytes
    peer_prefix: bytes
    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]

    def sign(self, offer: T, sign_payee: Sign, sign_peer: Sign) -> SignedOffer[T]:
        """`sign_payee` of a digest, as Ethereum does; `sign_peer` of a message, DER."""
        data = self.encode(offer)
        digest = sha256(data).digest()
        sig_payee = sign_payee(self.payee_digest(offer, digest))
        return SignedOffer(offer, data, digest, sig_payee, sign_peer(self.peer_prefix + digest))

    def open(self, data: bytes, sig_payee: bytes, sig_peer: bytes) -> SignedOffer[T]:
        """An offer as it was received, with both signatures checked.

        Raises   BadEncoding  no offer
                 BadOffer     not signed by its payee or by its peer
        """
        offer = self.decode(data)
        digest = sha256(data).digest()
        peer = encode_peer_id(offer.peer_id)
        if recover_address(sig_payee, self.payee_digest(offer, digest)) != offer.payee:
            raise BadOffer(f"the offer of {peer} is not signed by its payee 0x{offer.payee.hex()}")
        if not verify(public_key_of(offer.peer_id), sig_peer, self.peer_prefix + digest):
            raise BadOffer(f"the offer of {peer} is not signed by that peer")
        return SignedOffer(offer, data, digest, sig_payee, sig_peer)

    def payee_digest(self, offer: T, digest: bytes) -> bytes:
        """What the payee signs, 32 bytes."""
        domain = HubDomain(offer.chain_id, offer.contract)
        return hash_digest(domain_separator(domain, self.domain_name), OFFER_TYPE, digest)


def check_terms(offer: OfferTerms, peer_id: bytes, domain: HubDomain, now: float) -> None:
    """That an offer is this peer's, for this hub, and holds at `now`. Raises BadOffer."""
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
