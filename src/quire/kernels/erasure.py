"""Leopard Reed-Solomon: K data rows, M parity rows, and any K of the K + M give all others.

Byte for byte the code of the C++ library "leopard". Rows are numbered 0 .. K-1 (data) and
K .. K+M-1 (parity). All rows of a call have one length, a multiple of 64 bytes; coding goes by
columns, so blocks may be joined into longer rows. Both functions release the GIL and use all cores
for long rows. Buffers must not be written to meanwhile.

Source   proofs.md 1; vectors/leopard.json
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quire._core import ERASURE_ROWS_MAX as MAX_ROWS
from quire._core import erasure_encode, erasure_field_bits, erasure_rebuild
from quire.base.errors import InputError

__all__ = ["MAX_ROWS", "Buffer", "check_code", "encode", "field_bits", "rebuild"]

Buffer = bytes | bytearray | memoryview


def field_bits(k: int, m: int) -> int:
    """Bits of a symbol of the code of `k` data and `m` parity rows: 8 or 16.

    Raises   InputError  unless 1 <= m <= k and nextpow2(m) + k <= MAX_ROWS
    """
    try:
        return erasure_field_bits(k, m)
    except (ValueError, OverflowError) as problem:
        raise _refused(problem, k, m) from None


def check_code(k: int, m: int) -> None:
    """Raises   InputError  when there is no code of `k` data and `m` parity rows"""
    field_bits(k, m)


def encode(rows: Sequence[Buffer], m: int) -> list[bytes]:
    """The `m` parity rows of the data rows.

    Raises   InputError  no such code; a length that is zero, no multiple of 64 or not that of all
    """
    try:
        return erasure_encode(rows, m)
    except (ValueError, OverflowError) as problem:
        raise _refused(problem, len(rows), m) from None


def rebuild(k: int, m: int, rows: Mapping[int, Buffer], wanted: Sequence[int]) -> list[bytes]:
    """The wanted rows, in that order, from any `k` or more rows by number.

    Raises   InputError  no such code; too few rows; a number out of range or wanted twice; a
                         length that is zero, no multiple of 64 or not that of all
    """
    try:
        return erasure_rebuild(k, m, list(rows), list(rows.values()), wanted)
    except (ValueError, OverflowError) as problem:
        raise _refused(problem, k, m) from None


def _refused(problem: ValueError | OverflowError, k: int, m: int) -> InputError:
    if isinstance(problem, OverflowError):
        return InputError(f"a row number or count is negative or huge, in a code of {k} + {m} rows")
    return InputError(str(problem))
