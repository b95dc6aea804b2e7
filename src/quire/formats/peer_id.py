"""Names of peers: the identity multihash of a secp256k1 public key, as base58 text `16Uiu2HA...`.

Codex nodes accept no other kind of key, and neither does Quire.
Source   network.md 1.2; vectors/identity.json
"""

from __future__ import annotations

from quire.base.errors import BadEncoding
from quire.base.invariant import invariant
from quire.formats.multibase import decode_base58, encode_base58

PUBLIC_KEY_BYTES = 33
PEER_ID_BYTES = 39

_KEY_HEADER = bytes.fromhex("08021221")  # protobuf: key type 2 (secp256k1), 33 bytes follow
_ID_HEADER = bytes.fromhex("0025")  # multihash: identity, 37 bytes follow


def encode_public_key(public_key: bytes) -> bytes:
    """The 37-byte libp2p protobuf of a compressed point (33 bytes)."""
    invariant(_is_compressed(public_key), "a public key is a compressed point of 33 bytes")
    return _KEY_HEADER + public_key


def decode_public_key(data: bytes) -> bytes:
    """The 33-byte compressed point; whether it lies on the curve is seen when it is used.

    Raises   BadEncoding  another kind of key, another length
    """
    if data[:4] != _KEY_HEADER or not _is_compressed(data[4:]):
        raise BadEncoding("a public key is not a compressed secp256k1 key of 37 bytes")
    return data[4:]


def peer_id_of(public_key: bytes) -> bytes:
    """The 39-byte peer id of a compressed secp256k1 point (33 bytes)."""
    return _ID_HEADER + encode_public_key(public_key)


def public_key_of(peer_id: bytes) -> bytes:
    """The compressed point inside a peer id. Raises `BadEncoding`."""
    if len(peer_id) != PEER_ID_BYTES or peer_id[:2] != _ID_HEADER:
        raise BadEncoding("a peer id is not the identity hash of a secp256k1 key (39 bytes)")
    return decode_public_key(peer_id[2:])


def encode_peer_id(peer_id: bytes) -> str:
    """The base58 text of peer id bytes. Raises `BadEncoding` unless they are a peer id."""
    public_key_of(peer_id)
    return encode_base58(peer_id)


def decode_peer_id(text: str) -> bytes:
    """The 39 bytes of a base58 text. Raises `BadEncoding`."""
    peer_id = decode_base58(text)
    try:
        public_key_of(peer_id)
    except BadEncoding as error:
        raise BadEncoding(f"{text!r} is not a peer id: {error.message}") from None
    return peer_id


def _is_compressed(public_key: bytes) -> bool:
    return len(public_key) == PUBLIC_KEY_BYTES and public_key[0] in (2, 3)
