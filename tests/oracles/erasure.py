"""Slow twin of `quire.kernels.erasure`: the closed form, by logarithms, one symbol at a time.

A codeword is the values of a polynomial at positions: parity i stands at i, data j at
nextpow2(m) + j. Any k positions give every other one by Lagrange interpolation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

BASIS_8 = (1, 214, 152, 146, 86, 200, 88, 230)
BASIS_16 = (
    *(0x0001, 0xACCA, 0x3C0E, 0x163E, 0xC582, 0xED2E, 0x914C, 0x4012),
    *(0x6C98, 0x10D8, 0x6A72, 0xB900, 0xFDB8, 0xFB34, 0xFF38, 0x991E),
)


class Field:
    """Symbols in the Cantor basis. `exp` repeats, for sums of two logarithms."""

    def __init__(self, polynomial: int, basis: Sequence[int]) -> None:
        self.bits = len(basis)
        self.order = (1 << self.bits) - 1
        elements = [0]
        for unit in basis:
            elements += [unit ^ element for element in elements]
        symbols = {element: symbol for symbol, element in enumerate(elements)}
        self.exp, self.log, element = [], {}, 1
        for power in range(self.order):
            self.exp.append(symbols[element])
            self.log[symbols[element]] = power
            element <<= 1
            if element >> self.bits:
                element ^= polynomial
        self.exp *= 2

    def mul(self, a: int, b: int) -> int:
        return self.exp[self.log[a] + self.log[b]] if a and b else 0


@cache
def field_of(bits: int) -> Field:
    return Field(0x11D, BASIS_8) if bits == 8 else Field(0x1002D, BASIS_16)


def nextpow2(value: int) -> int:
    return 1 << (value - 1).bit_length()


def field_bits(k: int, m: int) -> int:
    return 8 if nextpow2(nextpow2(m) + k) <= 256 else 16


def coefficients(k: int, m: int, available: Sequence[int], target: int) -> list[int]:
    """Factors of the rows at k positions that make up the row at another one."""
    field = field_of(field_bits(k, m))
    others = sorted(set(range(nextpow2(m) + k)) - set(available) - {target})
    found = []
    for position in available:
        log = sum(field.log[position ^ q] - field.log[target ^ q] for q in others)
        found.append(field.exp[log % field.order])
    return found


def symbols_of(row: bytes, bits: int) -> list[int]:
    if bits == 8:
        return list(row)
    return [row[c + i] | row[c + 32 + i] << 8 for c in range(0, len(row), 64) for i in range(32)]


def row_of(symbols: Sequence[int], bits: int) -> bytes:
    if bits == 8:
        return bytes(symbols)
    chunks = [symbols[at : at + 32] for at in range(0, len(symbols), 32)]
    return b"".join(bytes(s & 255 for s in c) + bytes(s >> 8 for s in c) for c in chunks)


def rebuild(k: int, m: int, rows: Mapping[int, bytes], wanted: Sequence[int]) -> list[bytes]:
    bits, span = field_bits(k, m), nextpow2(m)
    field = field_of(bits)
    chosen = {span + row if row < k else row - k: rows[row] for row in sorted(rows)[:k]}
    inputs = [symbols_of(row, bits) for row in chosen.values()]
    found = []
    for row in wanted:
        target = span + row if row < k else row - k
        if target in chosen:
            found.append(bytes(chosen[target]))
            continue
        sums = [0] * len(inputs[0])
        factors = coefficients(k, m, list(chosen), target)
        for factor, symbols in zip(factors, inputs, strict=True):
            sums = [a ^ field.mul(factor, b) for a, b in zip(sums, symbols, strict=True)]
        found.append(row_of(sums, bits))
    return found


def encode(rows: Sequence[bytes], m: int) -> list[bytes]:
    k = len(rows)
    return rebuild(k, m, dict(enumerate(rows)), range(k, k + m))
