"""Lists of ranges as the exchange tells them: which blocks a node holds."""

from __future__ import annotations

from quire.base.errors import BadEncoding
from quire.base.invariant import invariant
from quire.base.ranges import RangeSet
from quire.formats.varint import Buffer, decode_varint, encode_varint

MAX_RANGES = 4096


def encode_ranges(ranges: RangeSet) -> bytes:
    """Varints in pairs: the gap since the last range, then the length. At most MAX_RANGES."""
    invariant(len(ranges) <= MAX_RANGES, "a message tells a bounded number of ranges")
    out: list[bytes] = []
    at = 0
    for start, stop in ranges:
        out += (encode_varint(start - at), encode_varint(stop - start))
        at = stop
    return b"".join(out)


def first_ranges(ranges: RangeSet) -> RangeSet:
    """As much of a set as one message tells."""
    return ranges if len(ranges) <= MAX_RANGES else RangeSet(list(ranges)[:MAX_RANGES])


def decode_ranges(data: Buffer, leaf_count: int) -> RangeSet:
    """The ranges of `encode_ranges`: normal, at most MAX_RANGES, below `leaf_count`."""
    ranges: list[tuple[int, int]] = []
    offset = at = 0
    while offset < len(data):
        gap, offset = decode_varint(data, offset)
        length, offset = decode_varint(data, offset)
        if length == 0 or (gap == 0 and ranges):
            raise BadEncoding("a list of ranges is not in its normal form")
        if at + gap + length > leaf_count:
            raise BadEncoding(f"a range ends behind the {leaf_count} leaves of its tree")
        if len(ranges) == MAX_RANGES:
            raise BadEncoding(f"a list of ranges has more than {MAX_RANGES}")
        ranges.append((at + gap, at + gap + length))
        at += gap + length
    return RangeSet(ranges)
