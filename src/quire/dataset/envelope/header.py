"""The first bytes of the plain stream: how long the content is, its name and media type.

`meta_len u32 BE ‖ content_len u64 BE ‖ meta`, meta compact JSON with sorted keys, or nothing. The
header lies in record 0 as a whole.

Source   point.md 7.3
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from quire.base.errors import BadEncoding, IntegrityError
from quire.base.invariant import invariant
from quire.dataset.envelope.padme import padme
from quire.formats.varint import Buffer

FIXED_BYTES = 12
META_BYTES_MAX = 16 * 1024
CONTENT_BYTES_MAX = 1 << 62


@dataclass(frozen=True, slots=True)
class Header:
    """What the plain stream says about its content. Whoever holds no key sees none of it."""

    content_bytes: int
    name: str | None = None
    media_type: str | None = None

    @property
    def meta(self) -> bytes:
        """Empty when there is neither name nor type."""
        said = {"name": self.name, "type": self.media_type}
        known = {key: value for key, value in said.items() if value is not None}
        if not known:
            return b""
        return json.dumps(known, separators=(",", ":"), sort_keys=True).encode()

    def encode(self) -> bytes:
        meta = self.meta
        invariant(len(meta) <= META_BYTES_MAX, "name and type are too long", bytes=len(meta))
        return len(meta).to_bytes(4) + self.content_bytes.to_bytes(8) + meta

    def stream_bytes(self, *, padded: bool) -> int:
        """Length of the whole plain stream."""
        bare = FIXED_BYTES + len(self.meta) + self.content_bytes
        return padme(bare) if padded else bare


def decode_header(stream: Buffer) -> tuple[Header, int]:
    """The header at the begin of a plain stream, and the offset of the content in it.

    Unknown keys are passed over.
    Raises   BadEncoding  cut off, too long, not an object of texts
    """
    view = memoryview(stream)
    if len(view) < FIXED_BYTES:
        raise BadEncoding(f"an encrypted dataset holds {len(view)} bytes, less than its header")
    meta_bytes = int.from_bytes(view[:4])
    content_bytes = int.from_bytes(view[4:FIXED_BYTES])
    if meta_bytes > META_BYTES_MAX:
        raise BadEncoding(f"name and type take {meta_bytes} bytes, more than {META_BYTES_MAX}")
    if content_bytes > CONTENT_BYTES_MAX:
        raise BadEncoding(f"a content of {content_bytes} bytes is longer than any")
    begin = FIXED_BYTES + meta_bytes
    if len(view) < begin:
        raise BadEncoding(f"the header of an encrypted dataset is cut off after {len(view)} bytes")
    said = _decode_meta(bytes(view[FIXED_BYTES:begin]))
    return Header(content_bytes, said.get("name"), said.get("type")), begin


def check_stream_length(content_begin: int, content_bytes: int, found: int, padded: bool) -> None:
    """Raises   IntegrityError  a stream of `found` bytes is not one of this header"""
    bare = content_begin + content_bytes
    right = padme(bare) if padded else bare
    if found != right:
        raise IntegrityError(
            f"the encrypted dataset holds {found} bytes and its header says {right}: "
            "it was cut, or not made by this program"
        )


def _decode_meta(meta: bytes) -> dict[str, str]:
    if not meta:
        return {}
    try:
        said = json.loads(meta)
    except (ValueError, RecursionError):
        raise BadEncoding("name and type in an encrypted dataset are not JSON") from None
    if not isinstance(said, dict):
        raise BadEncoding("name and type in an encrypted dataset are not a JSON object")
    for key in ("name", "type"):
        if key in said and not isinstance(said[key], str):
            raise BadEncoding(f"the {key} in an encrypted dataset is no text")
    return {key: said[key] for key in ("name", "type") if key in said}
