"""Signed peer records (SPR): where a peer can be reached, signed by the peer itself.

    Envelope { 1 public key, 2 type 03 01, 3 record, 5 signature }     text: spr: ++ base64url
    PeerRecord { 1 peer id, 2 seq, 3 repeated { 1 multiaddr } }

The signature is ECDSA over SHA-256 of the domain, the type and the record, each length-prefixed.
Signing and checking are handed in (`kernels/signing.py`): this layer has no cryptography.
Source   network.md 3.6; vectors/peer_record.json
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from quire.base.errors import BadEncoding
from quire.base.invariant import invariant
from quire.formats.multiaddr import Multiaddr
from quire.formats.multibase import decode_base64url, encode_base64url
from quire.formats.peer_id import decode_public_key, encode_peer_id, encode_public_key, peer_id_of
from quire.formats.protobuf import Fields, bytes_field, uint_field
from quire.formats.varint import Buffer, encode_varint

Verify: TypeAlias = Callable[[bytes, bytes, bytes], bool]  # public key, signature, message
Sign: TypeAlias = Callable[[bytes], bytes]  # message -> DER signature

SCHEME = "spr:"
MAX_RECORD_BYTES = 8192
MAX_ADDRESSES = 64
MAX_SIGNATURE_BYTES = 72

_DOMAIN = b"libp2p-peer-record"
_TYPE = b"\x03\x01"


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """One peer's own word. `seq` is unix seconds at creation; of two records the higher counts."""

    public_key: bytes  # compressed point, 33 bytes
    seq: int
    addresses: tuple[Multiaddr, ...]

    @property
    def peer_id(self) -> bytes:
        """39 bytes."""
        return peer_id_of(self.public_key)

    @property
    def peer(self) -> str:
        """The peer id as base58 text."""
        return encode_peer_id(self.peer_id)


def encode_record(record: PeerRecord, sign: Sign) -> bytes:
    """The signed envelope. `sign` must use the key that belongs to `record.public_key`."""
    invariant(0 < len(record.addresses) <= MAX_ADDRESSES, "a record has 1 to 64 addresses")
    payload = _encode_payload(record)
    return b"".join(
        (
            bytes_field(1, encode_public_key(record.public_key)),
            bytes_field(2, _TYPE),
            bytes_field(3, payload),
            bytes_field(5, sign(_signed_bytes(payload))),
        )
    )


def decode_record(data: Buffer, verify: Verify) -> PeerRecord:
    """The record of a signed envelope. Addresses of unknown protocols are left out.

    Raises   BadEncoding  malformed, above a limit, not signed by the peer it names
    """
    envelope = Fields(data, max_bytes=MAX_RECORD_BYTES)
    public_key = decode_public_key(bytes(envelope.blob(1)))
    if envelope.blob(2) != _TYPE:
        raise BadEncoding("a signed envelope holds something else than a peer record")
    payload = bytes(envelope.blob(3))
    signature = bytes(envelope.blob(5))
    if len(signature) > MAX_SIGNATURE_BYTES:
        raise BadEncoding(f"a signature has {len(signature)} bytes, at most {MAX_SIGNATURE_BYTES}")
    if not verify(public_key, signature, _signed_bytes(payload)):
        raise BadEncoding("a peer record's signature is not by the key it carries")
    fields = Fields(payload, max_bytes=MAX_RECORD_BYTES, max_fields=MAX_ADDRESSES + 16)
    if fields.blob(1) != peer_id_of(public_key):
        raise BadEncoding("a peer record names another peer than the one that signed it")
    addresses = _decode_addresses(fields.blobs(3))
    return PeerRecord(public_key, fields.uint(2), addresses)


def encode_spr(record: PeerRecord, sign: Sign) -> str:
    """The text `spr:...` of a signed record."""
    return SCHEME + encode_base64url(encode_record(record, sign))


def decode_spr(text: str, verify: Verify) -> PeerRecord:
    """The record of a text `spr:...`. Raises `BadEncoding`."""
    if not text.startswith(SCHEME):
        raise BadEncoding(f"{text[:80]!r} is not a signed peer record; it would begin with spr:")
    if len(text) > MAX_RECORD_BYTES * 4 // 3 + len(SCHEME) + 1:
        raise BadEncoding(f"a signed peer record of {len(text)} characters is too long")
    return decode_record(decode_base64url(text[len(SCHEME) :]), verify)


def _encode_payload(record: PeerRecord) -> bytes:
    parts = [bytes_field(1, record.peer_id), uint_field(2, record.seq)]
    parts += (bytes_field(3, bytes_field(1, address.encode())) for address in record.addresses)
    return b"".join(parts)


def _signed_bytes(payload: bytes) -> bytes:
    return b"".join(encode_varint(len(part)) + part for part in (_DOMAIN, _TYPE, payload))


def _decode_addresses(infos: Sequence[memoryview]) -> tuple[Multiaddr, ...]:
    if not 0 < len(infos) <= MAX_ADDRESSES:
        raise BadEncoding(f"a peer record has {len(infos)} addresses, not 1 to {MAX_ADDRESSES}")
    addresses = []
    for info in infos:
        data = Fields(info, max_bytes=MAX_RECORD_BYTES).blob(1)
        try:
            addresses.append(Multiaddr.decode(data))
        except BadEncoding:
            continue  # of a protocol that Quire cannot dial
    if not addresses:
        raise BadEncoding("a peer record has no address of a known protocol")
    return tuple(addresses)
