"""Guards the interpreter's limit of recursion while libraries are loaded that raise it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def same_recursion_limit() -> Iterator[None]:
    """py_ecc, which eth_account loads, sets the limit to 100 000: from then on deeply nested JSON
    from outside would overflow the stack and end the process instead of being refused."""
    limit = sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
