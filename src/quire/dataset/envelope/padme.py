"""Padmé: lengths rounded up so that few of them exist, at most 12 % longer, 1 % from 60 kB on."""

from __future__ import annotations


def padme(size: int) -> int:
    """The padded length of `size` bytes. Source: point.md 7.3."""
    if size < 2:
        return size
    exponent = size.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (size + mask) & ~mask
