"""Content identifiers: what kind of content, which hash, which digest.

A CID is `01 ++ varint(codec) ++ multihash`; its text is base58btc with the prefix `z`. A dataset is
named by the CID of its manifest (`zDv...`); its tree is `zDz...`, a block `zDx...`.
Source   content.md 1.1, 1.2; vectors/cid.json
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from quire.base.errors import BadCid, BadEncoding
from quire.formats.felt import check_felt
from quire.formats.multibase import decode_base58, decode_multibase, encode_base58, encode_multibase
from quire.formats.multihash import (
    HASH_IDENTITY,
    HASH_POSEIDON2_MERKLE,
    HASH_SHA256,
    Multihash,
    decode_multihash,
)
from quire.formats.varint import Buffer, decode_varint, encode_varint

CODEC_MANIFEST = 0xCD01
CODEC_BLOCK = 0xCD02
CODEC_ROOT = 0xCD03
CODEC_SLOT_ROOT = 0xCD04
CODEC_PROVING_ROOT = 0xCD05
CODEC_SLOT_CELL = 0xCD06
CODEC_DAG_PB = 0x70

MAX_BYTES = 160  # an identity hash of 128 bytes with everything before it

# raw, dag-pb, dag-cbor, libp2p-key, git-raw, torrent-info, torrent-file, ed25519-pub, dag-json
_FOREIGN_CODECS = frozenset((0x55, CODEC_DAG_PB, 0x71, 0x72, 0x78, 0x7B, 0x7C, 0xED, 0x129))
_CHAIN_CODECS = frozenset(
    (*range(0x90, 0x99), 0xB0, 0xB1, 0xC0, 0xC1, 0xD0, 0xD1, 0xE0, 0xE1, 0xF0, 0xF1)
)
_CODEX_CODECS = frozenset(range(CODEC_MANIFEST, CODEC_SLOT_CELL + 1))
_CODECS = _FOREIGN_CODECS | _CHAIN_CODECS | _CODEX_CODECS

# Commitments of slots are field elements under these hashes; content under the other codecs is
# named by an ordinary hash.
_FELT_HASHES = {
    CODEC_SLOT_ROOT: HASH_IDENTITY,
    CODEC_PROVING_ROOT: HASH_IDENTITY,
    CODEC_SLOT_CELL: HASH_POSEIDON2_MERKLE,
}


@dataclass(frozen=True, slots=True)
class Cid:
    """Equal when codec and multihash are equal; the version does not count."""

    version: int = field(compare=False)
    codec: int
    hash_code: int
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> Cid:
        """The CID of a text in any known base. Raises `BadCid`."""
        try:
            if len(text) == 46 and text.startswith("Qm"):
                return cls._decode_v0(decode_base58(text))
            if len(text) < 2:
                raise BadEncoding("it is too short")
            return cls._decode_v1(decode_multibase(text))
        except BadEncoding as error:
            raise BadCid(f"{_shown(text)} is not a CID: {error.message}") from None

    @classmethod
    def decode(cls, data: Buffer) -> Cid:
        """The CID of its bytes, all of them. Raises `BadCid`."""
        try:
            if len(data) == 34 and data[0] == HASH_SHA256:
                return cls._decode_v0(bytes(data))
            return cls._decode_v1(data)
        except BadEncoding as error:
            raise BadCid(f"{len(data)} bytes are not a CID: {error.message}") from None

    @classmethod
    def _decode_v0(cls, data: bytes) -> Cid:
        if data[:2] != b"\x12\x20" or len(data) != 34:
            raise BadEncoding("a CID of version 0 is 12 20 and 32 bytes")
        return cls(0, CODEC_DAG_PB, HASH_SHA256, data[2:])

    @classmethod
    def _decode_v1(cls, data: Buffer) -> Cid:
        if len(data) > MAX_BYTES:
            raise BadEncoding(f"it has {len(data)} bytes, more than {MAX_BYTES}")
        version, offset = decode_varint(data)
        if version != 1:
            raise BadEncoding(f"its version is {version}, not 1")
        codec, offset = decode_varint(data, offset)
        if codec not in _CODECS:
            raise BadEncoding(f"its content codec 0x{codec:x} is not known")
        multihash, offset = decode_multihash(data, offset)
        if offset != len(data):
            raise BadEncoding(f"{len(data) - offset} bytes follow its digest")
        if codec in _FELT_HASHES:
            if multihash.code != _FELT_HASHES[codec]:
                raise BadEncoding(f"codec 0x{codec:x} does not go with hash 0x{multihash.code:x}")
            check_felt(multihash.digest)
        return cls(1, codec, multihash.code, multihash.digest)

    def encode(self) -> bytes:
        multihash = Multihash(self.hash_code, self.digest).encode()
        return multihash if self.version == 0 else b"\x01" + encode_varint(self.codec) + multihash

    def __str__(self) -> str:
        data = self.encode()
        return encode_base58(data) if self.version == 0 else encode_multibase(data)

    def __repr__(self) -> str:
        return f"Cid({self})"


def block_cid(digest: bytes) -> Cid:
    """The CID of a block by its SHA-256 digest."""
    return Cid(1, CODEC_BLOCK, HASH_SHA256, digest)


def tree_cid(root: bytes) -> Cid:
    """The CID of a dataset's tree by its root."""
    return Cid(1, CODEC_ROOT, HASH_SHA256, root)


def manifest_cid(manifest_bytes: Buffer) -> Cid:
    """The CID of a manifest: the name of its dataset."""
    return manifest_cid_of(hashlib.sha256(manifest_bytes).digest())


def manifest_cid_of(digest: bytes) -> Cid:
    """The CID of a manifest by its SHA-256 digest."""
    return Cid(1, CODEC_MANIFEST, HASH_SHA256, digest)


def is_manifest(cid: Cid) -> bool:
    return cid.codec == CODEC_MANIFEST and cid.hash_code == HASH_SHA256


def is_block(cid: Cid) -> bool:
    return cid.codec == CODEC_BLOCK


def is_tree(cid: Cid) -> bool:
    return cid.codec == CODEC_ROOT and cid.hash_code == HASH_SHA256


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 80 else f"a text of {len(text)} characters"
