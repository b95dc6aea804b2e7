"""Unsigned LEB128 integers of at most 64 bits, in their one shortest form."""

from __future__ import annotations

from typing import TypeAlias

from quire.base.errors import BadEncoding
from quire.base.invariant import invariant

Buffer: TypeAlias = bytes | bytearray | memoryview

MAX_BYTES = 10
MAX_VALUE = (1 << 64) - 1


def encode_varint(number: int) -> bytes:
    """The shortest encoding of 0 <= number < 2^64."""
    invariant(0 <= number <= MAX_VALUE, "a varint holds 0 to 2^64-1", number=number)
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def decode_varint(data: Buffer, offset: int = 0) -> tuple[int, int]:
    """The number at `offset` and the offset after it.

    Raises   BadEncoding  cut short, longer than 10 bytes, above 2^64-1, or not the shortest form
    """
    number = shift = 0
    size = len(data)
    while True:
        if offset >= size:
            raise BadEncoding(f"a varint is cut short at byte {offset}")
        byte = data[offset]
        offset += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift >= 7 * MAX_BYTES:
            raise BadEncoding(f"a varint is longer than {MAX_BYTES} bytes before byte {offset}")
    if byte == 0 and shift:
        raise BadEncoding(f"a varint is not in its shortest form before byte {offset}")
    if number > MAX_VALUE:
        raise BadEncoding(f"a varint is above 2^64-1 before byte {offset}")
    return number, offset
