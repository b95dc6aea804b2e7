"""What a client asks of a provider of sealed replicas (bodies of `replica.ReplicaRequest`).

`segments()` are the fields of the body; blocks are passed on as they are, never copied.
Source   point.md 6.4; docs/reference/replica-protocol.md
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self, TypeAlias

from quire.base.errors import BadEncoding
from quire.formats.protobuf import Fields, bytes_field, bytes_header, uint_field
from quire.formats.replica_blob import MapBlob
from quire.formats.replica_parts import (
    BLOCK_BYTES,
    DIGEST_BYTES,
    MAX_BLOCKS,
    MAX_RUN_BLOCKS,
    decode_indices,
    decode_root,
    encode_indices,
    encode_root,
    whole_blocks,
)
from quire.formats.signed_offer import SIGNATURE_BYTES
from quire.formats.varint import Buffer

ADDRESS_BYTES = 20
NONCE_BYTES = 32


@dataclass(frozen=True, slots=True)
class OfferRequest:
    """What do you ask for so many bytes, for so many seconds?"""

    FIELD: ClassVar = 10
    size_bytes: int
    seconds: int

    def segments(self) -> tuple[Buffer, ...]:
        return (uint_field(1, self.size_bytes) + uint_field(2, self.seconds),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.uint(1, bits=62), fields.uint(2, bits=62))


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """STORE_CHUNK_REQUEST: keep room for a replica, on the terms of an offer.

    client        the account that will be billed
    introduction  its signature that this peer speaks for it at the provider (65 bytes)
    """

    FIELD: ClassVar = 11
    sealed_bytes: int
    blocks: int
    expires_at: int
    client: bytes
    offer_hash: bytes
    introduction: bytes = field(repr=False)

    def segments(self) -> tuple[Buffer, ...]:
        return (
            uint_field(1, self.sealed_bytes)
            + uint_field(2, self.blocks)
            + uint_field(3, self.expires_at)
            + bytes_field(4, self.client)
            + bytes_field(5, self.offer_hash)
            + bytes_field(6, self.introduction),
        )

    @classmethod
    def read(cls, fields: Fields) -> Self:
        sealed_bytes, blocks = fields.uint(1, bits=62), fields.uint(2, bits=32)
        if not 1 <= blocks <= MAX_BLOCKS or blocks != -(-sealed_bytes // BLOCK_BYTES):
            raise BadEncoding(
                f"{sealed_bytes} bytes are not {blocks} blocks, or not 1 to {MAX_BLOCKS} of them"
            )
        return cls(
            sealed_bytes,
            blocks,
            fields.uint(3, bits=62),
            fields.exactly(4, ADDRESS_BYTES, "an account"),
            fields.exactly(5, DIGEST_BYTES, "the hash of an offer"),
            fields.exactly(6, SIGNATURE_BYTES, "an introduction"),
        )


@dataclass(frozen=True, slots=True)
class SegmentMap:
    """STORE_CHUNK_SEGMENTS: the digests of all sealed blocks, joined, 32 bytes each."""

    FIELD: ClassVar = 12
    root: bytes
    leaves: bytes
    sealed_bytes: int

    def segments(self) -> tuple[Buffer, ...]:
        leaf = bytes_header(2, DIGEST_BYTES)
        leaves = b"".join(
            leaf + self.leaves[at : at + DIGEST_BYTES]
            for at in range(0, len(self.leaves), DIGEST_BYTES)
        )
        head = bytes_field(1, encode_root(self.root))
        return (head + leaves + uint_field(3, self.sealed_bytes),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        leaves = fields.blobs(2)
        sealed_bytes = fields.uint(3, bits=62)
        if not 1 <= len(leaves) <= MAX_BLOCKS or len(leaves) != -(-sealed_bytes // BLOCK_BYTES):
            raise BadEncoding(
                f"{len(leaves)} digests are not those of {sealed_bytes} bytes, "
                f"or not 1 to {MAX_BLOCKS}"
            )
        if any(len(leaf) != DIGEST_BYTES for leaf in leaves):
            raise BadEncoding(f"a digest has {DIGEST_BYTES} bytes")
        return cls(decode_root(fields.blob(1)), b"".join(leaves), sealed_bytes)


@dataclass(frozen=True, slots=True)
class SegmentData:
    """STORE_CHUNK_DATA: whole sealed blocks from `index` on, the last one of a replica padded."""

    FIELD: ClassVar = 13
    index: int
    data: Buffer

    @property
    def count(self) -> int:
        return len(self.data) // BLOCK_BYTES

    def segments(self) -> tuple[Buffer, ...]:
        return (uint_field(1, self.index) + bytes_header(2, len(self.data)), self.data)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.uint(1, bits=32), whole_blocks(fields.blob(2), MAX_RUN_BLOCKS))


@dataclass(frozen=True, slots=True)
class SignRequest:
    """STORE_CHUNK_SIGNATURE_REQUEST: sign for what you hold."""

    FIELD: ClassVar = 14
    root: bytes

    def segments(self) -> tuple[Buffer, ...]:
        return (bytes_field(1, encode_root(self.root)),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(decode_root(fields.blob(1)))


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """How does this link stand?"""

    FIELD: ClassVar = 15

    def segments(self) -> tuple[Buffer, ...]:
        return ()

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls()


@dataclass(frozen=True, slots=True)
class GetRequest:
    """Blocks of a replica, ascending; the link id is the reader's session.

    client, introduction   who is billed, as in StoreRequest; empty where reading costs nothing
    """

    FIELD: ClassVar = 16
    root: bytes
    indices: tuple[int, ...]
    client: bytes = b""
    introduction: bytes = field(default=b"", repr=False)

    def segments(self) -> tuple[Buffer, ...]:
        fields = bytes_field(1, encode_root(self.root))
        fields += bytes_field(2, encode_indices(self.indices))
        if self.client:
            fields += bytes_field(3, self.client) + bytes_field(4, self.introduction)
        return (fields,)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        client = introduction = b""
        if fields.has(3) or fields.has(4):
            client = fields.exactly(3, ADDRESS_BYTES, "an account")
            introduction = fields.exactly(4, SIGNATURE_BYTES, "an introduction")
        root, indices = decode_root(fields.blob(1)), decode_indices(fields.blob(2))
        return cls(root, indices, client, introduction)


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """Show that you hold these blocks, and that you read them now."""

    FIELD: ClassVar = 17
    root: bytes
    nonce: bytes  # 32 bytes
    indices: tuple[int, ...]

    def segments(self) -> tuple[Buffer, ...]:
        return (
            bytes_field(1, encode_root(self.root))
            + bytes_field(2, self.nonce)
            + bytes_field(3, encode_indices(self.indices)),
        )

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(
            decode_root(fields.blob(1)),
            fields.exactly(2, NONCE_BYTES, "a nonce"),
            decode_indices(fields.blob(3)),
        )


@dataclass(frozen=True, slots=True)
class RenewRequest:
    """Keep it longer, on the terms of an offer of now."""

    FIELD: ClassVar = 18
    expires_at: int
    offer_hash: bytes

    def segments(self) -> tuple[Buffer, ...]:
        return (uint_field(1, self.expires_at) + bytes_field(2, self.offer_hash),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        offer_hash = fields.exactly(2, DIGEST_BYTES, "the hash of an offer")
        return cls(fields.uint(1, bits=62), offer_hash)


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """It need not be kept any longer."""

    FIELD: ClassVar = 19

    def segments(self) -> tuple[Buffer, ...]:
        return ()

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls()


@dataclass(frozen=True, slots=True)
class MapPut:
    """Keep this replica map, or pointer, in the place of older versions."""

    FIELD: ClassVar = 20
    blob: MapBlob

    def segments(self) -> tuple[Buffer, ...]:
        inner = self.blob.segments()
        return (bytes_header(1, sum(len(each) for each in inner)), *inner)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(MapBlob.of_bytes(fields.blob(1)))


@dataclass(frozen=True, slots=True)
class MapGet:
    """The newest replica map, or pointer, at this place."""

    FIELD: ClassVar = 21
    locator: bytes

    def segments(self) -> tuple[Buffer, ...]:
        return (bytes_field(1, self.locator),)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        return cls(fields.exactly(1, DIGEST_BYTES, "a locator"))


Asking: TypeAlias = (
    OfferRequest
    | StoreRequest
    | SegmentMap
    | SegmentData
    | SignRequest
    | StatusRequest
    | GetRequest
    | AuditRequest
    | RenewRequest
    | ReleaseRequest
    | MapPut
    | MapGet
)
