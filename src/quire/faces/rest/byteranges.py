"""The Range header and the body that answers several ranges at once (RFC 9110 14).

Ranges that overlap or nearly touch are joined, so that nobody can ask for the same bytes many times
over; when too many are left, or they would cost more than the whole, the whole is sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_HEADER_CHARACTERS = 4096
MAX_PARTS = 32
JOINED_GAP_BYTES = 256  # about what the lines before a part take
_SPEC = re.compile(r"(\d{0,18})-(\d{0,18})", re.ASCII)


class RangeOutside(Exception):
    """No byte of the content is in any of the ranges."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes [start, stop)."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start

    def content_range(self, size: int) -> str:
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def wanted_ranges(header: str, size: int) -> list[ByteRange]:
    """The ranges to send; an empty list is the whole, also for what is malformed.

    Raises   RangeOutside  well formed, but nothing of it lies inside `size` bytes
    """
    unit, equals, rest = header.partition("=")
    if not equals or unit.strip().lower() != "bytes" or len(header) > MAX_HEADER_CHARACTERS:
        return []
    specs = [spec.strip(" \t") for spec in rest.split(",")]
    found: list[ByteRange] = []
    for spec in filter(None, specs):
        match = _SPEC.fullmatch(spec)
        if match is None or spec == "-":
            return []
        first, last = match[1], match[2]
        if first and last and int(last) < int(first):
            return []
        start = int(first) if first else max(0, size - int(last))
        stop = min(size, int(last) + 1 if first and last else size)
        if start < stop:
            found.append(ByteRange(start, stop))
    if not any(specs) or size == 0:
        return []
    if not found:
        raise RangeOutside
    joined = _joined(found)
    parts = found if len(joined) == len(found) else joined
    too_much = sum(part.length + JOINED_GAP_BYTES for part in parts) >= size
    return [] if len(parts) > MAX_PARTS or (len(parts) > 1 and too_much) else parts


def _joined(ranges: list[ByteRange]) -> list[ByteRange]:
    """In order, without overlaps and small gaps."""
    joined: list[ByteRange] = []
    for each in sorted(ranges, key=lambda part: part.start):
        if joined and each.start <= joined[-1].stop + JOINED_GAP_BYTES:
            joined[-1] = ByteRange(joined[-1].start, max(joined[-1].stop, each.stop))
        else:
            joined.append(each)
    return joined


class Multipart:
    """The framing of a `multipart/byteranges` body.

    `tag` is the CID of the content, which the content itself cannot hold: that makes it a boundary.
    """

    def __init__(self, parts: list[ByteRange], size: int, media_type: str, tag: str) -> None:
        self.boundary = f"quire_{tag[-60:]}"
        self.parts = parts
        self._size = size
        self._media_type = media_type

    @property
    def content_type(self) -> str:
        return f"multipart/byteranges; boundary={self.boundary}"

    @property
    def length(self) -> int:
        """Bytes of the whole body."""
        framed = sum(len(self.head(part)) + part.length for part in self.parts)
        return framed + len(self.end)

    def head(self, part: ByteRange) -> bytes:
        """What goes before the bytes of a part."""
        return (
            f"\r\n--{self.boundary}\r\nContent-Type: {self._media_type}\r\n"
            f"Content-Range: {part.content_range(self._size)}\r\n\r\n"
        ).encode()

    @property
    def end(self) -> bytes:
        return f"\r\n--{self.boundary}--\r\n".encode()
