"""The protobuf wire format, as nim-libp2p's minprotobuf writes and reads it.

Writing: fields in ascending order, scalars also when zero. Reading: unknown fields and known
fields of another wire type are skipped, of a repeated single field the last one counts, groups are
refused, a missing scalar is 0. Two limits hold before anything is kept: the bytes of the message
(the caller's) and the number of its fields.
Source   content.md 2.4; network.md 2.2
"""

from __future__ import annotations

from quire.base.errors import BadEncoding
from quire.formats.varint import Buffer, decode_varint, encode_varint

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}
_MAX_FIELD_NUMBER = (1 << 29) - 1

DEFAULT_MAX_FIELDS = 64


def uint_field(number: int, value: int) -> bytes:
    """A varint field; also when the value is 0."""
    return encode_varint(number << 3 | _VARINT) + encode_varint(value)


def int32_field(number: int, value: int) -> bytes:
    """A signed varint field: a negative value takes 10 bytes, as two's complement of 64 bits."""
    return uint_field(number, value & 0xFFFF_FFFF_FFFF_FFFF)


def bytes_field(number: int, value: Buffer) -> bytes:
    """A length-delimited field; also when the value is empty."""
    return b"".join((bytes_header(number, len(value)), value))


def bytes_header(number: int, size: int) -> bytes:
    """What stands before the `size` bytes of a length-delimited field."""
    return encode_varint(number << 3 | _BYTES) + encode_varint(size)


class Fields:
    """The fields of one message. Values of length-delimited fields are views, not copies."""

    __slots__ = ("_blobs", "_numbers")

    def __init__(
        self, data: Buffer, *, max_bytes: int, max_fields: int = DEFAULT_MAX_FIELDS
    ) -> None:
        """Read a whole message. Raises `BadEncoding` when malformed or above a limit."""
        if len(data) > max_bytes:
            raise BadEncoding(f"a message of {len(data)} bytes is above {max_bytes}")
        self._numbers: dict[int, int] = {}
        self._blobs: dict[int, list[memoryview]] = {}
        view = memoryview(data)
        size, offset, count = len(view), 0, 0
        while offset < size:
            tag, offset = decode_varint(view, offset)
            number, wire = tag >> 3, tag & 7
            count += 1
            if count > max_fields:
                raise BadEncoding(f"a message has more than {max_fields} fields")
            if not 1 <= number <= _MAX_FIELD_NUMBER:
                raise BadEncoding(f"{number} is not a field number")
            if wire == _VARINT:
                self._numbers[number], offset = decode_varint(view, offset)
                continue
            if wire == _BYTES:
                length, offset = decode_varint(view, offset)
            elif wire in _FIXED_SIZES:
                length = _FIXED_SIZES[wire]
            else:
                raise BadEncoding(f"field {number} has wire type {wire}, which is not supported")
            if length > size - offset:
                raise BadEncoding(
                    f"field {number} claims {length} bytes where {size - offset} are left"
                )
            if wire == _BYTES:
                self._blobs.setdefault(number, []).append(view[offset : offset + length])
            offset += length

    def uint(self, number: int, *, bits: int = 64) -> int:
        """A whole number below 2^bits, 0 when absent. Raises `BadEncoding` when larger."""
        value = self._numbers.get(number, 0)
        if value >> bits:
            raise BadEncoding(f"field {number} is {value}, above {bits} bits")
        return value

    def flag(self, number: int) -> bool:
        """A varint as a fact: anything but 0 is true."""
        return self._numbers.get(number, 0) != 0

    def int32(self, number: int) -> int:
        """A signed number of 32 bits, 0 when absent. Raises `BadEncoding` when it does not fit."""
        value = self._numbers.get(number, 0)
        value -= (value >> 63) << 64
        if not -(1 << 31) <= value < 1 << 31:
            raise BadEncoding(f"field {number} is {value}, above 32 bits")
        return value

    def blob(self, number: int) -> memoryview:
        """The last length-delimited field of this number; empty when absent."""
        blobs = self._blobs.get(number)
        return blobs[-1] if blobs else memoryview(b"")

    def exactly(self, number: int, size: int, what: str) -> bytes:
        """A copy of a field of exactly so many bytes. Raises `BadEncoding`, which names `what`."""
        data = self.blob(number)
        if len(data) != size:
            raise BadEncoding(f"{what} has {size} bytes, not {len(data)}")
        return bytes(data)

    def at_most(self, number: int, size: int, what: str) -> bytes:
        """A copy of a field of no more than so many bytes. Raises `BadEncoding`, which names
        `what`."""
        data = self.blob(number)
        if len(data) > size:
            raise BadEncoding(f"{what} has at most {size} bytes, not {len(data)}")
        return bytes(data)

    def blobs(self, number: int) -> list[memoryview]:
        """All length-delimited fields of this number, in order."""
        return self._blobs.get(number, [])

    def text(self, number: int) -> str | None:
        """UTF-8 text; None when absent or empty. Raises `BadEncoding` when not UTF-8."""
        try:
            return str(self.blob(number), "utf-8") or None
        except UnicodeDecodeError:
            raise BadEncoding(f"field {number} is not UTF-8 text") from None

    def has(self, number: int) -> bool:
        """Whether a non-empty length-delimited field of this number is there."""
        return len(self.blob(number)) > 0
