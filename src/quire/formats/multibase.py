"""Texts of bytes: one letter names the base, the rest are digits.

Quire writes base58btc (`z`) only and reads the common bases, as the reference does.
Source   multibase table; content.md 1.2
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from functools import cache

from quire.base.errors import BadEncoding

MAX_TEXT = 512  # characters: decoding base 58 costs the square of the length

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_FLICKR = "123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_BASE32_HEX = "0123456789abcdefghijklmnopqrstuv"
_BASE32_Z = "ybndrfg8ejkmcpqxot1uwisza345h769"
_BASE16 = "0123456789abcdef"
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BASE64_URL = _BASE64[:-2] + "-_"

# prefix -> digits, whether "=" pads to a multiple of 8 (base 32) or 4 (base 64) digits
_BASES: dict[str, tuple[str, bool]] = {
    "z": (BASE58, False),
    "Z": (_FLICKR, False),
    "k": (_BASE36, False),
    "K": (_BASE36.upper(), False),
    "b": (_BASE32, False),
    "B": (_BASE32.upper(), False),
    "c": (_BASE32, True),
    "C": (_BASE32.upper(), True),
    "v": (_BASE32_HEX, False),
    "V": (_BASE32_HEX.upper(), False),
    "t": (_BASE32_HEX, True),
    "T": (_BASE32_HEX.upper(), True),
    "h": (_BASE32_Z, False),
    "f": (_BASE16, False),
    "F": (_BASE16.upper(), False),
    "m": (_BASE64, False),
    "M": (_BASE64, True),
    "u": (_BASE64_URL, False),
    "U": (_BASE64_URL, True),
}


def encode_base58(data: bytes) -> str:
    """Base58btc digits without the multibase prefix; a leading zero byte is a leading `1`."""
    number = int.from_bytes(data)
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(BASE58[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(digits))


def decode_base58(text: str) -> bytes:
    """The inverse of `encode_base58`. Raises BadEncoding."""
    return _decode_positional(_limited(text), BASE58)


def encode_multibase(data: bytes) -> str:
    """`z` and base58btc."""
    return "z" + encode_base58(data)


def decode_multibase(text: str) -> bytes:
    """The bytes of a text in any known base.

    Raises   BadEncoding  empty, too long, unknown base, foreign digit, wrong padding
    """
    _limited(text)
    if not text:
        raise BadEncoding("a multibase text is empty; its first letter names the base")
    if text[0] not in _BASES:
        raise BadEncoding(f"{text[0]!r} names no known base; base58btc begins with z")
    digits, padded = _BASES[text[0]]
    if len(digits) in (36, 58):
        return _decode_positional(text[1:], digits)
    return _decode_bits(_unpadded(text[1:], len(digits)) if padded else text[1:], digits)


def encode_base64url(data: bytes) -> str:
    """RFC 4648 base 64 for URLs, without padding and without the multibase prefix."""
    return b64encode(data, b"-_").rstrip(b"=").decode()


def decode_base64url(text: str) -> bytes:
    """The inverse of `encode_base64url`; linear, the caller sets the limit. Raises BadEncoding."""
    try:
        data = b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except ValueError:
        data = b""
    if encode_base64url(data) != text:
        raise BadEncoding(f"{text[:80]!r} is not base64url without padding")
    return data


def _limited(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise BadEncoding(f"a text of {len(text)} characters is longer than {MAX_TEXT}")
    return text


@cache
def _values(digits: str) -> dict[str, int]:
    return {digit: value for value, digit in enumerate(digits)}


def _value(values: dict[str, int], digit: str) -> int:
    try:
        return values[digit]
    except KeyError:
        raise BadEncoding(f"{digit!r} is no digit of base {len(values)}") from None


def _decode_positional(text: str, digits: str) -> bytes:
    values = _values(digits)
    number = 0
    for digit in text:
        number = number * len(digits) + _value(values, digit)
    zeros = len(text) - len(text.lstrip(digits[0]))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)


def _unpadded(text: str, base: int) -> str:
    group = 8 if base == 32 else 4
    bare = text.rstrip("=")
    if len(text) % group or len(text) - len(bare) >= group:
        raise BadEncoding(f"base {base} text is not padded to a multiple of {group} digits")
    return bare


def _decode_bits(text: str, digits: str) -> bytes:
    """Digits of 4, 5 or 6 bits, first digit highest; bits left over must be zero."""
    values = _values(digits)
    width = len(digits).bit_length() - 1
    number = 0
    for digit in text:
        number = number << width | _value(values, digit)
    size, spare = divmod(len(text) * width, 8)
    if spare >= width or number & ((1 << spare) - 1):
        raise BadEncoding(f"base {len(digits)} text ends in the middle of a byte")
    return (number >> spare).to_bytes(size)
