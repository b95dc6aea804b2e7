"""Numbers in the bodies of the marketplace's requests, as the reference takes them.

Whole numbers come as numbers or as texts; those of 256 bits also in base 16, 8 or 2. Nothing, an
empty text and null are no number. Unknown fields are ignored.

Source   content.md 6.1
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from aiohttp import web

from quire.base.errors import InputError, TooLarge

BODY_BYTES_MAX = 64 * 1024
UINT64_MAX, UINT256_MAX = (1 << 64) - 1, (1 << 256) - 1
_DECIMAL = re.compile(r"[0-9]{1,78}")
_PREFIXED = re.compile(r"0(?:x[0-9a-fA-F]{1,64}|o[0-7]{1,86}|b[01]{1,256})")


async def read_body(request: web.Request) -> MarketBody:
    """The JSON object of a request, whatever its Content-Type says. Raises InputError, TooLarge."""
    data = await request.content.read(BODY_BYTES_MAX + 1)
    while len(data) <= BODY_BYTES_MAX and (more := await request.content.readany()):
        data += more
    if len(data) > BODY_BYTES_MAX:
        raise TooLarge(f"the body is larger than {BODY_BYTES_MAX} bytes")
    return parse_market_body(data)


def parse_market_body(data: bytes) -> MarketBody:
    """Raises InputError."""
    try:
        fields = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"the body is no JSON: {error}") from None
    if not isinstance(fields, dict):
        raise InputError("the body is not a JSON object")
    return MarketBody(fields)


class MarketBody:
    """The fields of a request. Every method raises InputError for a value of another kind."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def has(self, name: str) -> bool:
        """Whether the field is there and says something."""
        return self._fields.get(name) not in (None, "", "null")

    def uint64(self, name: str, default: int = 0) -> int:
        """The reference reads a missing number as 0 and says then why 0 does not do."""
        return self._whole(name, default, UINT64_MAX, is_prefixed=False)

    def uint256(self, name: str, default: int = 0) -> int:
        return self._whole(name, default, UINT256_MAX, is_prefixed=True)

    def signed(self, name: str, default: int = 0) -> int:
        """A whole number below or above nothing; never a text."""
        value = self._fields.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > UINT64_MAX >> 1:
            raise InputError(f"{name} is not a whole number of 64 bits: {str(value)[:40]!r}")
        return value

    def text(self, name: str) -> str:
        """Empty when it is not there."""
        value = self._fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise InputError(f"{name} is no text")
        return value

    def texts(self, name: str) -> list[str]:
        """One text, or several; none when it is not there."""
        value = self._fields.get(name)
        if value is None or isinstance(value, str):
            return [value] if value else []
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise InputError(f"{name} is neither a text nor a list of texts")
        return value

    def truth(self, name: str, default: bool) -> bool:
        value = self._fields.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise InputError(f"{name} is neither true nor false: {str(value)[:40]!r}")
        return value

    def number(self, name: str) -> float:
        value = self._fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"{name} is not a number")
        return float(value)

    def _whole(self, name: str, default: int, most: int, *, is_prefixed: bool) -> int:
        if not self.has(name):
            return default
        value = self._fields[name]
        if isinstance(value, str):
            if _DECIMAL.fullmatch(value):
                value = int(value)
            elif is_prefixed and _PREFIXED.fullmatch(value):
                value = int(value, 0)
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputError(f"{name} is not a whole number: {str(value)[:40]!r}")
        if not 0 <= value <= most:
            raise InputError(f"{name}: Parsed integer outside of valid range, which is 0 to {most}")
        return value
