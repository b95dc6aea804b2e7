"""A signed, encrypted record that providers keep for whoever knows its key: a replica map, or a
pointer that names the newest version of something.

Nobody here can read it; the signature and the version are all that is checked.
Source   point.md 6.4, 6.5
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from quire.formats.protobuf import Fields, bytes_field, bytes_header, uint_field
from quire.formats.varint import Buffer

MAX_BLOB_BYTES = 1 << 20  # of ciphertext
PUBLIC_KEY_BYTES = 32
NONCE_BYTES = 12
SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True)
class MapBlob:
    """`signature`: Ed25519 by `public_key`. Of two versions the higher counts."""

    FIELD: ClassVar = 18
    public_key: bytes
    version: int
    nonce: bytes
    ciphertext: bytes
    signature: bytes

    def segments(self) -> tuple[Buffer, ...]:
        return (
            bytes_field(1, self.public_key)
            + uint_field(2, self.version)
            + bytes_field(3, self.nonce)
            + bytes_header(4, len(self.ciphertext)),
            self.ciphertext,
            bytes_field(5, self.signature),
        )

    def encode(self) -> bytes:
        return b"".join(self.segments())

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Raises BadEncoding."""
        return cls(
            fields.exactly(1, PUBLIC_KEY_BYTES, "the key of a map"),
            fields.uint(2),
            fields.exactly(3, NONCE_BYTES, "the nonce of a map"),
            fields.at_most(4, MAX_BLOB_BYTES, "a map"),
            fields.exactly(5, SIGNATURE_BYTES, "the signature of a map"),
        )

    @classmethod
    def of_bytes(cls, data: Buffer) -> Self:
        """Raises BadEncoding."""
        return cls.read(Fields(data, max_bytes=MAX_BLOB_BYTES + 256))
