"""Header fields of tus 1.0, the protocol of resumable uploads, as values.

Source   https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from quire.base.errors import BadEncoding

SIZE_MAX = 1 << 62
METADATA_CHARACTERS_MAX = 4096
_DIGEST_BYTES = {"sha1": 20, "sha256": 32}
ALGORITHMS = tuple(_DIGEST_BYTES)


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a client says the body hashes to; the algorithm is one of `ALGORITHMS`."""

    algorithm: str
    digest: bytes


def decode_size(text: str, header: str) -> int:
    """A number of bytes. Raises BadEncoding."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19) or int(text) > SIZE_MAX:
        raise BadEncoding(f"{header}: {text[:40]!r} is not a number of bytes")
    return int(text)


def decode_metadata(text: str) -> dict[str, bytes]:
    """The pairs of an Upload-Metadata header; an empty header has none.

    Raises   BadEncoding  a key is empty, not printable ASCII or comes twice; a value is not base64
    """
    if len(text) > METADATA_CHARACTERS_MAX:
        raise BadEncoding(f"Upload-Metadata is longer than {METADATA_CHARACTERS_MAX} characters")
    found: dict[str, bytes] = {}
    for pair in text.split(",") if text.strip() else ():
        key, _, value = pair.strip().partition(" ")
        if not key or not (key.isascii() and key.isprintable()) or " " in value:
            raise BadEncoding(f"Upload-Metadata: {pair[:60]!r} is not a key and a base64 value")
        if key in found:
            raise BadEncoding(f"Upload-Metadata: the key {key[:60]!r} comes twice")
        found[key] = _from_base64(value, "Upload-Metadata")
    return found


def encode_metadata(pairs: dict[str, bytes]) -> str:
    """The header for these pairs."""
    return ",".join(
        f"{key} {base64.b64encode(value).decode('ascii')}" if value else key
        for key, value in pairs.items()
    )


def decode_checksum(text: str) -> Checksum:
    """An Upload-Checksum header. Raises BadEncoding, also for an unknown algorithm."""
    algorithm, _, value = text.partition(" ")
    if algorithm not in _DIGEST_BYTES:
        raise BadEncoding(
            f"Upload-Checksum: {algorithm[:40]!r} is not known; use {' or '.join(ALGORITHMS)}"
        )
    digest = _from_base64(value, "Upload-Checksum")
    if len(digest) != _DIGEST_BYTES[algorithm]:
        raise BadEncoding(f"Upload-Checksum: {len(digest)} bytes are not a {algorithm} digest")
    return Checksum(algorithm, digest)


def _from_base64(text: str, header: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadEncoding(f"{header}: {text[:60]!r} is not base64") from None
