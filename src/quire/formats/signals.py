"""The inputs of a circom circuit (`input.json`) as rows of field elements.

Source   proofs.md 4.2, 5.2
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from quire.base.errors import BadEncoding
from quire.formats.felt import FELT_BYTES, MODULUS

MOST_DIMENSIONS = 8
_MOST_DIGITS = len(str(MODULUS))


def flat_signals(signals: Mapping[str, object]) -> list[tuple[str, bytes]]:
    """Each signal by name, with its values row by row, 32 bytes little-endian each, joined.

    A value is a number as int or decimal text, or a list of values, all of one shape.
    Raises   BadEncoding  a value is no number below the modulus, or rows differ in length
    """
    return [(name, b"".join(_felts(name, value))) for name, value in signals.items()]


def _felts(name: str, value: object) -> Iterator[bytes]:
    numbers: list[object] = [value]
    for _ in range(MOST_DIMENSIONS + 1):
        if not any(isinstance(number, list | tuple) for number in numbers):
            return (_felt(name, number) for number in numbers)
        numbers = _one_dimension_less(name, numbers)
    raise BadEncoding(f"signal {name} is an array of more than {MOST_DIMENSIONS} dimensions")


def _one_dimension_less(name: str, arrays: list[object]) -> list[object]:
    lists = [array for array in arrays if isinstance(array, list | tuple)]
    if len(lists) != len(arrays) or len({len(array) for array in lists}) != 1:
        raise BadEncoding(f"signal {name} is an array whose rows differ in length")
    return [number for array in lists for number in array]


def _felt(name: str, value: object) -> bytes:
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value) if len(value) <= _MOST_DIGITS else MODULUS
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadEncoding(f"signal {name} holds {value!r:.100}, which is no number")
    if not 0 <= value < MODULUS:
        raise BadEncoding(f"signal {name} holds a number that is not from 0 to below the modulus")
    return value.to_bytes(FELT_BYTES, "little")
