"""Records of the journal: a value and the number of its format, as JSON.

Dataclasses and msgspec structs; bytes as base64, numbers of any size.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TypeVar

import msgspec

from quire.base.errors import BadEncoding

_ENDLESS = 1 << 320  # no price times size times seconds is as large

T = TypeVar("T")


def encode_record(format_number: int, value: object) -> bytes:
    return msgspec.json.encode((format_number, value))


def decode_record(data: bytes, kind: type[T], what: str, format_number: int) -> T:
    """What `encode_record` was given. `what` names it in errors: "job". Raises BadEncoding."""
    try:
        found, raw = msgspec.json.decode(data, type=tuple[int, msgspec.Raw])
        if found != format_number:
            raise BadEncoding(
                f"the record of a {what} has format {found}, known is {format_number}"
            )
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEncoding(f"the record of a {what} cannot be read: {error}") from None


def check_numbers(what: str, record: object) -> None:
    """Of a dataclass, each whole number. Raises BadEncoding."""
    if not is_dataclass(record):
        return
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, int) and not 0 <= value < _ENDLESS:
            raise BadEncoding(f"the record of a {what} has {field.name} out of range")
