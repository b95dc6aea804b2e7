"""Data for benchmarks: without structure, all blocks different, cheap to make, the same each time.

One MiB of random bytes is sent again and again; the first eight bytes of each 64 KiB block are a
counter, so that no two blocks are equal and nothing can be saved by storing a block once.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from random import Random

BLOCK_BYTES = 65_536
PIECE_BYTES = 1 << 20


@cache
def _noise() -> bytes:
    return Random(0).randbytes(PIECE_BYTES)


def pieces(size_bytes: int, seed: int = 0) -> Iterator[memoryview]:
    """`size_bytes` of data as views of at most 1 MiB; a view is valid until the next is taken.

    Equal sizes and seeds give equal data, so that several nodes can hold one dataset.
    """
    buffer = bytearray(_noise())
    view = memoryview(buffer)
    serial = seed << 40
    left = size_bytes
    while left:
        for offset in range(0, PIECE_BYTES, BLOCK_BYTES):
            struct.pack_into("<Q", buffer, offset, serial)
            serial += 1
        take = min(left, PIECE_BYTES)
        yield view[:take]
        left -= take
