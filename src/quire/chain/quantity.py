"""Numbers and bytes as nodes of chains write them: `0x1f` and `0x001f`."""

from __future__ import annotations

from typing import Any

from quire.base.errors import ChainUnreachable

QUANTITY_DIGITS = 64


def quantity(value: Any, what: str) -> int:
    """The number in an answer. Raises ChainUnreachable when `what` is none."""
    if isinstance(value, str) and value.startswith("0x") and len(value) <= 2 + QUANTITY_DIGITS:
        digits = value[2:]
        if digits.isascii() and digits.isalnum():
            try:
                return int(digits, 16)
            except ValueError:
                pass
    raise ChainUnreachable(f"The chain's node answered with a {what} that is no number")


def octets(value: Any, what: str, length: int | None = None) -> bytes:
    """The bytes in an answer, `length` of them. Raises ChainUnreachable."""
    if isinstance(value, str) and value.startswith("0x"):
        try:
            found = bytes.fromhex(value[2:])
        except ValueError:
            found = None
        if found is not None and 2 * len(found) == len(value) - 2 and length in (None, len(found)):
            return found
    raise ChainUnreachable(f"The chain's node answered with a {what} that is not its bytes")
