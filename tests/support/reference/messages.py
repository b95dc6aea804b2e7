"""Messages of the block exchange in both forms."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from support.reference.bytes_ import Malformed, blob, fields, first_blob, first_number, number
from support.reference.content import Address, Held

WANT_BLOCK, WANT_HAVE = 0, 1


@dataclass(frozen=True)
class Entry:
    """One line of a want-list."""

    address: Address
    kind: int = WANT_BLOCK
    cancel: bool = False
    dont_have: bool = False


@dataclass(frozen=True)
class Received:
    """A decoded message."""

    entries: list[Entry]
    deliveries: list[tuple[Address, Held]]
    presences: list[tuple[Address, bool]]


def encode(
    *,
    entries: list[Entry] | None = None,
    deliveries: list[tuple[Address, Held]] | None = None,
    presences: list[tuple[Address, bool]] | None = None,
    full: bool = False,
    trimmed: bool = False,
) -> bytes:
    wants = b"".join(blob(1, _entry(entry)) for entry in entries or [])
    out = blob(1, wants + number(2, full))
    for address, held in deliveries or []:
        body = blob(1, held.cid) + blob(2, held.data) + blob(3, _address(address))
        out += blob(3, body + (blob(4, held.proof) if held.proof else b""))
    for address, has in presences or []:
        price = b"" if trimmed else blob(3, bytes(32))
        out += blob(4, blob(1, _address(address)) + number(2, not has) + price)
    out += number(5, 0)
    return out if trimmed else out + blob(6, blob(1, b"")) + blob(7, blob(1, b""))


def decode(data: bytes) -> Received:
    """Everything or nothing: one block that is not its CID and the message is lost."""
    found = fields(data)
    wants = fields(first_blob(found, 1))
    return Received(
        [_read_entry(_bytes(item)) for item in wants.get(1, [])],
        [_read_delivery(_bytes(item)) for item in found.get(3, [])],
        [_read_presence(_bytes(item)) for item in found.get(4, [])],
    )


def _entry(entry: Entry) -> bytes:
    flags = number(2, 0) + number(3, entry.cancel) + number(4, entry.kind)
    return blob(1, _address(entry.address)) + flags + number(5, entry.dont_have)


def _address(address: Address) -> bytes:
    if address.index is None:
        return number(1, 0) + blob(4, address.cid)
    return number(1, 1) + blob(2, address.cid) + number(3, address.index)


def _read_address(data: bytes) -> Address:
    found = fields(data)
    if first_number(found, 1):
        index = first_number(found, 3)
        assert index < 1 << 63, "this would have ended a node of the reference"
        return Address(first_blob(found, 2), index)
    return Address(first_blob(found, 4))


def _read_entry(data: bytes) -> Entry:
    found = fields(data)
    kind = first_number(found, 4)
    assert kind in (WANT_BLOCK, WANT_HAVE), "this would have ended a node of the reference"
    address = _read_address(first_blob(found, 1))
    return Entry(address, kind, bool(first_number(found, 3)), bool(first_number(found, 5)))


def _read_delivery(data: bytes) -> tuple[Address, Held]:
    found = fields(data)
    assert 2 in found, "this would have ended a node of the reference"
    held = Held(first_blob(found, 1), first_blob(found, 2), first_blob(found, 4))
    if not held.cid.endswith(hashlib.sha256(held.data).digest()):
        raise Malformed("a block is not its CID")
    return _read_address(first_blob(found, 3)), held


def _read_presence(data: bytes) -> tuple[Address, bool]:
    found = fields(data)
    kind = first_number(found, 2)
    assert kind in (0, 1), "this would have ended a node of the reference"
    return _read_address(first_blob(found, 1)), kind == 0


def _bytes(item: int | bytes) -> bytes:
    if isinstance(item, int):
        raise Malformed("a number")
    return item
