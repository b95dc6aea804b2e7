"""Varints, length prefixes, base58 and protobuf, as little of them as is needed."""

from __future__ import annotations

import asyncio
from typing import Protocol

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Malformed(Exception):
    """Bytes that the reference does not decode."""


class Stream(Protocol):
    """What can be read exactly and written."""

    async def readexactly(self, count: int) -> bytes: ...

    def write(self, data: bytes) -> None: ...


def uvarint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def take_uvarint(data: bytes, at: int = 0) -> tuple[int, int]:
    number = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("varint")
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


async def read_uvarint(stream: Stream) -> int:
    number = shift = 0
    while True:
        byte = (await stream.readexactly(1))[0]
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number
        if shift > 63:
            raise Malformed("varint")


def lp(data: bytes) -> bytes:
    return uvarint(len(data)) + data


async def read_lp(stream: Stream, most: int) -> bytes:
    size = await read_uvarint(stream)
    if size > most:
        raise Malformed(f"{size} bytes are more than {most}")
    return await stream.readexactly(size)


def base58(data: bytes) -> str:
    number, text = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def blob(field: int, data: bytes) -> bytes:
    return uvarint(field << 3 | 2) + lp(data)


def number(field: int, value: int) -> bytes:
    return uvarint(field << 3) + uvarint(value)


def fields(data: bytes) -> dict[int, list[int | bytes]]:
    """All fields of a protobuf message by number, in order."""
    found: dict[int, list[int | bytes]] = {}
    at = 0
    while at < len(data):
        tag, at = take_uvarint(data, at)
        value: int | bytes
        if tag & 7 == 0:
            value, at = take_uvarint(data, at)
        elif tag & 7 == 2:
            size, at = take_uvarint(data, at)
            if at + size > len(data):
                raise Malformed("field")
            value, at = data[at : at + size], at + size
        else:
            raise Malformed(f"wire type {tag & 7}")
        found.setdefault(tag >> 3, []).append(value)
    return found


def first_blob(found: dict[int, list[int | bytes]], field: int, default: bytes = b"") -> bytes:
    value = found.get(field, [default])[-1]
    if not isinstance(value, bytes):
        raise Malformed(f"field {field} is a number")
    return value


def first_number(found: dict[int, list[int | bytes]], field: int, default: int = 0) -> int:
    value = found.get(field, [default])[-1]
    if not isinstance(value, int):
        raise Malformed(f"field {field} is bytes")
    return value


async def quietly(work: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end."""
    work.cancel()
    await asyncio.wait([work])
