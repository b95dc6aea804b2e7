"""A signed offer in an answer: its bytes with both signatures (see channels/signed_offer.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

from quire.formats.protobuf import Fields, bytes_field
from quire.formats.varint import Buffer

MAX_OFFER_BYTES = 1024
MAX_DER_BYTES = 80
SIGNATURE_BYTES = 65


@dataclass(frozen=True, slots=True)
class OfferAnswer:
    """What is in the offer is for whoever reads that kind."""

    FIELD: ClassVar = 10
    offer: bytes
    sig_payee: bytes = field(repr=False)
    sig_peer: bytes = field(repr=False)

    def segments(self) -> tuple[Buffer, ...]:
        return (
            bytes_field(1, self.offer)
            + bytes_field(2, self.sig_payee)
            + bytes_field(3, self.sig_peer),
        )

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            fields.at_most(1, MAX_OFFER_BYTES, "an offer"),
            fields.exactly(2, SIGNATURE_BYTES, "a payee's signature"),
            fields.at_most(3, MAX_DER_BYTES, "a peer's signature"),
        )
