"""Bech32 texts, as age writes its keys: a prefix, `1`, digits of five bits, a checksum of six.

Only written here; what comes from outside is read by age itself.
Source   BIP-173
"""

from __future__ import annotations

from collections.abc import Iterable

_DIGITS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
CHECKSUM_DIGITS = 6


def encode_bech32(prefix: str, data: bytes) -> str:
    """The text in lower case. prefix: ASCII, lower case."""
    values = _fives(data)
    spread = [ord(each) >> 5 for each in prefix] + [0] + [ord(each) & 31 for each in prefix]
    check = _remainder([*spread, *values, *bytes(CHECKSUM_DIGITS)]) ^ 1
    values += [check >> 5 * (CHECKSUM_DIGITS - 1 - i) & 31 for i in range(CHECKSUM_DIGITS)]
    return prefix + "1" + "".join(_DIGITS[value] for value in values)


def _fives(data: bytes) -> list[int]:
    """Five bits each, zeros at the end."""
    count = -(-len(data) * 8 // 5)
    number = int.from_bytes(data) << (count * 5 - len(data) * 8)
    return [number >> 5 * (count - 1 - i) & 31 for i in range(count)]


def _remainder(values: Iterable[int]) -> int:
    found = 1
    for value in values:
        top = found >> 25
        found = (found & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATORS):
            if top >> i & 1:
                found ^= generator
    return found
