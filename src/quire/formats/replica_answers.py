"""What a provider of sealed replicas answers (bodies of `replica.ReplicaAnswer`).

Source   point.md 6.4; docs/reference/replica-protocol.md
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Self, TypeAlias

from quire.base.errors import BadEncoding
from quire.formats.amount import decode_amount, encode_amount
from quire.formats.protobuf import Fields, bytes_field, bytes_header, uint_field
from quire.formats.replica_blob import MapBlob
from quire.formats.replica_codes import LeaseState
from quire.formats.replica_parts import (
    BLOCK_BYTES,
    DIGEST_BYTES,
    MAX_BLOCKS,
    MAX_READ_BLOCKS,
    decode_root,
    encode_root,
    whole_blocks,
)
from quire.formats.signed_offer import SIGNATURE_BYTES, OfferAnswer
from quire.formats.varint import Buffer

MAX_RECEIPT_BYTES = 1024
MAX_PROOF_BYTES = 2 * 10 * DIGEST_BYTES  # two digests a layer; MAX_BLOCKS leaves have ten


@dataclass(frozen=True, slots=True)
class Reserved:
    """Room is kept until then, unix seconds of the chain."""

    FIELD: ClassVar = 11
    until: int

    def segments(self) -> tuple[Buffer, ...]:
        return (uint_field(1, self.until),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.uint(1, bits=62))


@dataclass(frozen=True, slots=True)
class Have:
    """Which blocks are held: bit i is block i, lowest first (`replica_parts.ranges_of`)."""

    FIELD: ClassVar = 12
    bitmap: bytes
    is_complete: bool

    def segments(self) -> tuple[Buffer, ...]:
        return (bytes_field(1, self.bitmap) + uint_field(2, self.is_complete),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.at_most(1, MAX_BLOCKS // 8, "a bitmap"), fields.flag(2))


@dataclass(frozen=True, slots=True)
class ReceiptAnswer:
    """A receipt as bytes; what is in it is for `point/receipt.py`."""

    FIELD: ClassVar = 14
    typed: bytes
    signature: bytes

    def segments(self) -> tuple[Buffer, ...]:
        return (bytes_field(1, self.typed) + bytes_field(2, self.signature),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            fields.at_most(1, MAX_RECEIPT_BYTES, "a receipt"),
            fields.exactly(2, SIGNATURE_BYTES, "the signature of a receipt"),
        )


@dataclass(frozen=True, slots=True)
class LinkState:
    """How a link stands at its provider. `root` is empty before the segment map came; `paid` is
    what the client's vouchers have paid to this provider, all links together."""

    FIELD: ClassVar = 15
    state: LeaseState
    have: Have
    root: bytes
    expires_at: int
    paid: int

    def segments(self) -> tuple[Buffer, ...]:
        have = b"".join(self.have.segments())
        root = bytes_field(3, encode_root(self.root)) if self.root else b""
        return (
            uint_field(1, self.state)
            + bytes_field(2, have)
            + root
            + uint_field(4, self.expires_at)
            + bytes_field(5, encode_amount(self.paid)),
        )

    @classmethod
    def read(cls, fields: Fields) -> Self:
        try:
            state = LeaseState(fields.uint(1, bits=32))
        except ValueError:
            raise BadEncoding(f"state {fields.uint(1)} of a lease is not known") from None
        have = Have.read(Fields(fields.blob(2), max_bytes=MAX_BLOCKS))
        root = decode_root(fields.blob(3)) if fields.has(3) else b""
        return cls(state, have, root, fields.uint(4, bits=62), decode_amount(fields.blob(5)))


@dataclass(frozen=True, slots=True)
class BlockRun:
    """Consecutive whole blocks from `index` on, and the range proof that they stand there (layout:
    kernels/hashing.py)."""

    index: int
    data: Buffer
    proof: bytes

    @property
    def count(self) -> int:
        return len(self.data) // BLOCK_BYTES

    def segments(self) -> tuple[Buffer, ...]:
        return (
            uint_field(1, self.index) + bytes_header(2, len(self.data)),
            self.data,
            bytes_field(3, self.proof),
        )

    @classmethod
    def of_bytes(cls, data: Buffer) -> Self:
        fields = Fields(data, max_bytes=MAX_READ_BLOCKS * BLOCK_BYTES + 4096)
        index = fields.uint(1, bits=32)
        blocks = whole_blocks(fields.blob(2), MAX_READ_BLOCKS)
        if index + len(blocks) // BLOCK_BYTES > MAX_BLOCKS:
            raise BadEncoding(f"blocks from {index} on reach beyond {MAX_BLOCKS}")
        return cls(index, blocks, fields.at_most(3, MAX_PROOF_BYTES, "a proof"))


def audit_digest(nonce: bytes, data: Iterable[Buffer]) -> bytes:
    """What an audit's answer binds its blocks to: SHA-256(nonce ‖ blocks in order)."""
    digest = hashlib.sha256(nonce)
    for piece in data:
        digest.update(piece)
    return digest.digest()


@dataclass(frozen=True, slots=True)
class Blocks:
    """Runs of blocks, ascending: exactly those that were asked for."""

    FIELD: ClassVar = 16
    runs: tuple[BlockRun, ...]

    def segments(self) -> tuple[Buffer, ...]:
        return _run_fields(self.runs)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(_runs(fields))


@dataclass(frozen=True, slots=True)
class AuditAnswer:
    """The blocks of an audit, with `audit_digest` over its nonce and them."""

    FIELD: ClassVar = 17
    runs: tuple[BlockRun, ...]
    digest: bytes

    def segments(self) -> tuple[Buffer, ...]:
        return (*_run_fields(self.runs), bytes_field(2, self.digest))

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(_runs(fields), fields.exactly(2, DIGEST_BYTES, "the digest of an audit"))


Answering: TypeAlias = (
    OfferAnswer | Reserved | Have | ReceiptAnswer | LinkState | Blocks | AuditAnswer | MapBlob
)


def _run_fields(runs: tuple[BlockRun, ...]) -> tuple[Buffer, ...]:
    segments: list[Buffer] = []
    for run in runs:
        inner = run.segments()
        segments.append(bytes_header(1, sum(len(each) for each in inner)))
        segments += inner
    return tuple(segments)


def _runs(fields: Fields) -> tuple[BlockRun, ...]:
    """Raises BadEncoding unless they ascend, and are no more than MAX_READ_BLOCKS blocks."""
    blobs = fields.blobs(1)
    if len(blobs) > MAX_READ_BLOCKS:
        raise BadEncoding(f"an answer has at most {MAX_READ_BLOCKS} runs of blocks")
    runs = tuple(BlockRun.of_bytes(blob) for blob in blobs)
    if sum(run.count for run in runs) > MAX_READ_BLOCKS:
        raise BadEncoding(f"an answer has at most {MAX_READ_BLOCKS} blocks")
    if any(one.index + one.count > two.index for one, two in pairwise(runs)):
        raise BadEncoding("the runs of an answer do not ascend")
    return runs
