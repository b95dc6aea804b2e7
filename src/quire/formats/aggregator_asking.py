"""What a customer asks of an aggregator (bodies of `aggregator.AggregatorRequest`).

Source   market.md 6.4; docs/reference/aggregator-protocol.md
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self, TypeAlias

from quire.base.errors import BadCid, BadEncoding
from quire.formats.aggregator_codes import Reason, Service
from quire.formats.cid import Cid, is_manifest
from quire.formats.protobuf import Fields, bytes_field, bytes_header, uint_field
from quire.formats.replica_parts import whole_blocks
from quire.formats.signed_offer import SIGNATURE_BYTES
from quire.formats.varint import Buffer

ADDRESS_BYTES = 20
WORD_BYTES = 32
PROOF_BYTES = 256
MAX_RUN_BLOCKS = 8  # 512 KiB
MAX_WITNESS_BYTES = 1 << 20
MAX_MANIFEST_BYTES = 1 << 16
MAX_EVIDENCE_BYTES = 1 << 17
MAX_TEXT_BYTES = 1024
MAX_SLOTS = 256


@dataclass(frozen=True, slots=True)
class QuoteRequest:
    """What would it cost? Sizes in bytes; `k`, `m`, `dataset_size`, `block_size` for ENCODE only.

    deadline  unix seconds of the chain by which the result is wanted; 0: none for the offer itself
    """

    FIELD: ClassVar = 10
    service: Service
    dataset_size: int = 0
    block_size: int = 0
    k: int = 0
    m: int = 0
    deadline: int = 0

    def encode(self) -> bytes:
        numbers = (self.service, self.dataset_size, self.block_size, self.k, self.m, self.deadline)
        return b"".join(uint_field(at, number) for at, number in enumerate(numbers, 1))

    def segments(self) -> tuple[Buffer, ...]:
        return (self.encode(),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        k, m = fields.uint(4, bits=32), fields.uint(5, bits=32)
        if k + m > MAX_SLOTS:
            raise BadEncoding(f"{k} + {m} slots are more than {MAX_SLOTS}")
        return cls(
            read_service(fields, 1),
            fields.uint(2, bits=62),
            fields.uint(3, bits=32),
            k,
            m,
            fields.uint(6, bits=62),
        )


@dataclass(frozen=True, slots=True)
class Customer:
    """Who orders, and on what terms.

    account       the one that pays (and, for SUBMIT, hosts the slot)
    introduction  its signature that this peer speaks for it at the aggregator
    offer_hash    of the offer that is accepted
    """

    account: bytes
    offer_hash: bytes
    introduction: bytes = field(repr=False)

    def encode(self) -> bytes:
        return (
            bytes_field(1, self.account)
            + bytes_field(2, self.offer_hash)
            + bytes_field(3, self.introduction)
        )

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            fields.exactly(1, ADDRESS_BYTES, "an account"),
            fields.exactly(2, WORD_BYTES, "the hash of an offer"),
            fields.exactly(3, SIGNATURE_BYTES, "an introduction"),
        )


@dataclass(frozen=True, slots=True)
class AcceptEncode:
    """ENCODE this dataset as the offer says. `manifest`: of the original; None: its blocks will be
    pushed, and its manifest comes with Seal. `deadline`: chain time by which the receipt is due."""

    FIELD: ClassVar = 11
    customer: Customer
    manifest: Cid | None
    deadline: int

    def segments(self) -> tuple[Buffer, ...]:
        name = b"" if self.manifest is None else self.manifest.encode()
        rest = bytes_field(4, name) + uint_field(5, self.deadline)
        return (self.customer.encode() + rest,)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        name = bytes(fields.blob(4))
        customer = Customer.read(fields)
        return cls(customer, _manifest(name) if name else None, fields.uint(5, bits=62))


@dataclass(frozen=True, slots=True)
class PushBlocks:
    """A run of the dataset's blocks from `index` on, of a customer that keeps none of them. The
    last block of a dataset comes padded with zeros."""

    FIELD: ClassVar = 12
    index: int
    blocks: Buffer

    def segments(self) -> tuple[Buffer, ...]:
        return uint_field(1, self.index) + bytes_header(2, len(self.blocks)), self.blocks

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.uint(1, bits=40), whole_blocks(fields.blob(2), MAX_RUN_BLOCKS))


@dataclass(frozen=True, slots=True)
class Seal:
    """All blocks were pushed: this is the manifest that they belong to."""

    FIELD: ClassVar = 13
    manifest: bytes

    def segments(self) -> tuple[Buffer, ...]:
        return (bytes_field(1, self.manifest),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.at_most(1, MAX_MANIFEST_BYTES, "a manifest"))


@dataclass(frozen=True, slots=True)
class AcceptProve:
    """PROVE this. `claim` and `witness` as dataset/witness.py lays them out; `key_hash` names the
    circuit's key; `deadline`: chain time after which the proof is of no use."""

    FIELD: ClassVar = 14
    customer: Customer
    key_hash: bytes
    witness: bytes = field(repr=False)
    deadline: int

    def segments(self) -> tuple[Buffer, ...]:
        rest = bytes_field(4, self.key_hash) + uint_field(5, self.deadline)
        return self.customer.encode() + rest + bytes_header(6, len(self.witness)), self.witness

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            Customer.read(fields),
            fields.exactly(4, WORD_BYTES, "the hash of a key"),
            fields.at_most(6, MAX_WITNESS_BYTES, "a witness"),
            fields.uint(5, bits=62),
        )


@dataclass(frozen=True, slots=True)
class AcceptSubmit:
    """SUBMIT this proof of a slot for a period, whose challenge it answers. `deadline`: chain time
    by which it has to be in the chain."""

    FIELD: ClassVar = 15
    customer: Customer
    slot_id: bytes
    period: int
    challenge: bytes
    proof: bytes
    deadline: int

    def segments(self) -> tuple[Buffer, ...]:
        return (
            self.customer.encode()
            + bytes_field(4, self.slot_id)
            + uint_field(5, self.period)
            + bytes_field(6, self.challenge)
            + bytes_field(7, self.proof)
            + uint_field(8, self.deadline),
        )

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            Customer.read(fields),
            fields.exactly(4, WORD_BYTES, "a slot id"),
            fields.uint(5, bits=40),
            fields.exactly(6, WORD_BYTES, "a challenge"),
            fields.exactly(7, PROOF_BYTES, "a proof"),
            fields.uint(8, bits=62),
        )


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """How far is it? The answer is its progress, or the result."""

    FIELD: ClassVar = 16

    def segments(self) -> tuple[Buffer, ...]:
        return (b"",)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls()


@dataclass(frozen=True, slots=True)
class Release:
    """The result is good and this part of the price was promised by voucher: 0 at once, 1 when the
    hosts have the blocks."""

    FIELD: ClassVar = 17
    part: int

    def segments(self) -> tuple[Buffer, ...]:
        return (uint_field(1, self.part),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        part = fields.uint(1)
        if part > 1:
            raise BadEncoding(f"a job is paid in parts 0 and 1; {part} is neither")
        return cls(part)


@dataclass(frozen=True, slots=True)
class Dispute:
    """The result is not good and nothing will be paid for it.

    stripe    the column that was coded again, where it is about one
    evidence  the block or digest that is wrong, for the aggregator's operator
    """

    FIELD: ClassVar = 18
    reason: Reason
    text: str = ""
    stripe: int = 0
    evidence: bytes = b""

    def segments(self) -> tuple[Buffer, ...]:
        text = self.text.encode("utf-8", "replace")[:MAX_TEXT_BYTES]
        head = uint_field(1, self.reason) + bytes_field(2, text) + uint_field(3, self.stripe)
        return (head + bytes_field(4, self.evidence),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        number = fields.uint(1)
        if number not in Reason.__members__.values():
            raise BadEncoding(f"reason {number} of a dispute is not known")
        text = str(fields.at_most(2, MAX_TEXT_BYTES, "a text"), "utf-8", "replace")
        evidence = fields.at_most(4, MAX_EVIDENCE_BYTES, "evidence")
        return cls(Reason(number), text, fields.uint(3, bits=40), evidence)


@dataclass(frozen=True, slots=True)
class Cancel:
    """It is not wanted any more; a result that was not delivered is not paid."""

    FIELD: ClassVar = 19

    def segments(self) -> tuple[Buffer, ...]:
        return (b"",)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls()


Asking: TypeAlias = (
    QuoteRequest
    | AcceptEncode
    | PushBlocks
    | Seal
    | AcceptProve
    | AcceptSubmit
    | StatusRequest
    | Release
    | Dispute
    | Cancel
)


def read_service(fields: Fields, number: int) -> Service:
    """Raises BadEncoding."""
    value = fields.uint(number)
    if value not in Service.__members__.values():
        raise BadEncoding(f"service {value} is not known")
    return Service(value)


def _manifest(data: bytes) -> Cid:
    try:
        cid = Cid.decode(data)
    except BadCid as error:
        raise BadEncoding(f"a dataset is named by a broken CID: {error.message}") from None
    if not is_manifest(cid):
        raise BadEncoding(f"{cid} does not name a dataset")
    return cid
