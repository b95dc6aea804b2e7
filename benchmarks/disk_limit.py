"""The limit for the disk: one file, aligned, past the page cache. Runs as its own process.

    python -m benchmarks.disk_limit DIRECTORY SIZE

Writes it with one sync at the end, then reads it with four reads in flight. Prints one JSON line.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.data import PIECE_BYTES

READERS = 4


def _seconds_to_write(fd: int, size_bytes: int) -> float:
    piece = mmap.mmap(-1, PIECE_BYTES)
    piece.write(os.urandom(PIECE_BYTES))
    started = time.perf_counter()
    for offset in range(0, size_bytes, PIECE_BYTES):
        os.pwrite(fd, piece, offset)
    os.fdatasync(fd)
    return time.perf_counter() - started


def _seconds_to_read(fd: int, size_bytes: int) -> float:
    def read(first: int) -> None:
        buffer = mmap.mmap(-1, PIECE_BYTES)
        for offset in range(first * PIECE_BYTES, size_bytes, READERS * PIECE_BYTES):
            os.preadv(fd, [buffer], offset)

    started = time.perf_counter()
    with ThreadPoolExecutor(READERS) as pool:
        list(pool.map(read, range(READERS)))
    return time.perf_counter() - started


def main() -> None:
    size_bytes = int(sys.argv[2])
    handle, name = tempfile.mkstemp(dir=sys.argv[1])
    os.close(handle)
    fd = os.open(name, os.O_RDWR | os.O_DIRECT)
    try:
        write = _seconds_to_write(fd, size_bytes)
        read = _seconds_to_read(fd, size_bytes)
    finally:
        os.close(fd)
        os.unlink(name)
    print(json.dumps({"bytes": size_bytes, "write_seconds": write, "read_seconds": read}))


if __name__ == "__main__":
    main()
