"""Memory that the allocator of C would keep for itself: glibc gives each thread a heap of its own,
and a heap keeps what its thread has freed. The blocks of a node pass through many threads, so that
with many heaps it holds several times what it uses.
"""

from __future__ import annotations

import ctypes
from typing import Any

_M_ARENA_MAX = -8  # malloc.h
HEAPS = 1


def use_few_heaps() -> None:
    """From now on; before threads are started. Does nothing where the allocator is another."""
    libc = _libc()
    if libc is not None:
        libc.mallopt(_M_ARENA_MAX, HEAPS)


def _libc() -> Any:
    """None: not glibc."""
    try:
        libc = ctypes.CDLL(None)
        return libc if libc.mallopt else None
    except (AttributeError, OSError):
        return None
