"""Amounts of tokens in messages: whole numbers below 2^256, big-endian, as short as can be."""

from __future__ import annotations

from quire.base.errors import BadEncoding
from quire.formats.varint import Buffer

MAX_AMOUNT_BYTES = 32


def encode_amount(amount: int) -> bytes:
    """0 is empty."""
    return amount.to_bytes((amount.bit_length() + 7) // 8, "big")


def decode_amount(data: Buffer) -> int:
    """Raises BadEncoding for more than 32 bytes, or a zero in front."""
    if len(data) > MAX_AMOUNT_BYTES:
        raise BadEncoding(f"an amount has at most {MAX_AMOUNT_BYTES} bytes, not {len(data)}")
    if len(data) and data[0] == 0:
        raise BadEncoding("an amount is not in its shortest form")
    return int.from_bytes(data, "big")
