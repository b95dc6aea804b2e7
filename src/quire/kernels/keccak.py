"""Keccak-256 as Ethereum uses it (the padding of the competition, not of SHA-3)."""

from __future__ import annotations

from functools import cache
from typing import Any

DIGEST_BYTES = 32


def keccak256(data: bytes) -> bytes:
    """The digest, 32 bytes."""
    digest: bytes = _new()(digest_bits=256, data=data).digest()
    return digest


@cache
def _new() -> Any:
    from Crypto.Hash import keccak  # slow to import, and not every command has to

    return keccak.new
