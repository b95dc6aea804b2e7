"""A digest and the code of the hash that made it: varint code, varint length, digest."""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import BadEncoding
from quire.formats.varint import Buffer, decode_varint, encode_varint

HASH_IDENTITY = 0x00
HASH_SHA256 = 0x12
HASH_SHA512 = 0x13
HASH_POSEIDON2_SPONGE = 0xCD10
HASH_POSEIDON2_MERKLE = 0xCD11

MAX_IDENTITY_BYTES = 128

# code -> digest bytes
_SIZES = {
    0x11: 20,  # sha1
    HASH_SHA256: 32,
    HASH_SHA512: 64,
    0x14: 64,  # sha3-512
    0x15: 48,  # sha3-384
    0x16: 32,  # sha3-256
    0x17: 28,  # sha3-224
    0x1A: 28,  # keccak-224
    0x1B: 32,  # keccak-256
    0x1C: 48,  # keccak-384
    0x1D: 64,  # keccak-512
    0x56: 32,  # dbl-sha2-256
    0xB220: 32,  # blake2b-256
    0xB260: 32,  # blake2s-256
    HASH_POSEIDON2_SPONGE: 32,
    HASH_POSEIDON2_MERKLE: 32,
}


@dataclass(frozen=True, slots=True)
class Multihash:
    """`digest` is raw; its length is checked against `code` on decoding."""

    code: int
    digest: bytes

    def encode(self) -> bytes:
        return encode_varint(self.code) + encode_varint(len(self.digest)) + self.digest


def decode_multihash(data: Buffer, offset: int = 0) -> tuple[Multihash, int]:
    """The multihash at `offset` and the offset after it.

    Raises   BadEncoding  unknown hash, wrong digest length, cut short
    """
    code, offset = decode_varint(data, offset)
    size, offset = decode_varint(data, offset)
    if code == HASH_IDENTITY:
        if size > MAX_IDENTITY_BYTES:
            raise BadEncoding(f"an identity hash of {size} bytes is above {MAX_IDENTITY_BYTES}")
    elif code not in _SIZES:
        raise BadEncoding(f"hash code 0x{code:x} is not known")
    elif size != _SIZES[code]:
        raise BadEncoding(f"hash 0x{code:x} has {_SIZES[code]} bytes, not {size}")
    if len(data) - offset < size:
        raise BadEncoding(f"a digest of {size} bytes is cut short to {len(data) - offset}")
    return Multihash(code, bytes(data[offset : offset + size])), offset + size
