"""What an aggregator tells its customers (bodies of `aggregator.AggregatorAnswer`).

Source   market.md 6.4; docs/reference/aggregator-protocol.md
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self, TypeAlias

from quire.base.errors import BadEncoding
from quire.formats.aggregator_asking import PROOF_BYTES, WORD_BYTES
from quire.formats.aggregator_codes import Stage
from quire.formats.amount import decode_amount, encode_amount
from quire.formats.protobuf import Fields, bytes_field, uint_field
from quire.formats.signed_offer import SIGNATURE_BYTES, OfferAnswer
from quire.formats.varint import Buffer

MAX_RECEIPT_BYTES = 32 << 10
MAX_WORDS_BYTES = 512


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is, in thousandths of the work, and in words. `blocks`: of a dataset that is
    being pushed, how many are here durably from the first on, without a gap."""

    FIELD: ClassVar = 11
    stage: Stage
    permille: int = 0
    words: str = ""
    blocks: int = 0

    def segments(self) -> tuple[Buffer, ...]:
        words = self.words.encode("utf-8", "replace")[:MAX_WORDS_BYTES]
        head = uint_field(1, self.stage) + uint_field(2, self.permille) + bytes_field(3, words)
        return (head + uint_field(4, self.blocks),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        number, permille = fields.uint(1), fields.uint(2)
        if number not in Stage.__members__.values():
            raise BadEncoding(f"stage {number} of a job is not known")
        if permille > 1000:
            raise BadEncoding(f"{permille} thousandths are more than all")
        words = str(fields.at_most(3, MAX_WORDS_BYTES, "a text"), "utf-8", "replace")
        return cls(Stage(number), permille, words, fields.uint(4, bits=40))


@dataclass(frozen=True, slots=True)
class EncodedAnswer:
    """The receipt's bytes and the signature under them (see aggregation/receipt.py)."""

    FIELD: ClassVar = 12
    receipt: bytes
    signature: bytes = field(repr=False)

    def segments(self) -> tuple[Buffer, ...]:
        return (bytes_field(1, self.receipt) + bytes_field(2, self.signature),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        receipt = fields.at_most(1, MAX_RECEIPT_BYTES, "a receipt")
        return cls(receipt, fields.exactly(2, SIGNATURE_BYTES, "a signature"))


@dataclass(frozen=True, slots=True)
class ProofAnswer:
    """The proof that was ordered, as in `dataset/storage_proof.py`."""

    FIELD: ClassVar = 13
    proof: bytes

    def segments(self) -> tuple[Buffer, ...]:
        return (bytes_field(1, self.proof),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.exactly(1, PROOF_BYTES, "a proof"))


@dataclass(frozen=True, slots=True)
class PromiseAnswer:
    """The proof was checked and will be in the chain in time, or `amount` is owed from the bond:
    the signature of `chain.bonds.Promise` for this slot, period and host."""

    FIELD: ClassVar = 14
    amount: int
    signature: bytes = field(repr=False)

    def segments(self) -> tuple[Buffer, ...]:
        amount = bytes_field(1, encode_amount(self.amount))
        return (amount + bytes_field(2, self.signature),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        amount = decode_amount(fields.blob(1))
        return cls(amount, fields.exactly(2, SIGNATURE_BYTES, "a signature"))


@dataclass(frozen=True, slots=True)
class SubmittedAnswer:
    """The proof is in the chain: the transaction's hash and its block."""

    FIELD: ClassVar = 15
    transaction: bytes
    block: int

    def segments(self) -> tuple[Buffer, ...]:
        return (bytes_field(1, self.transaction) + uint_field(2, self.block),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.exactly(1, WORD_BYTES, "a transaction's hash"), fields.uint(2, bits=62))


Answering: TypeAlias = (
    OfferAnswer | Progress | EncodedAnswer | ProofAnswer | PromiseAnswer | SubmittedAnswer
)
