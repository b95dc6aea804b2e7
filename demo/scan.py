"""Looks for a file's bytes on disks: `python -m demo.scan FILE DIRECTORY...`.

Every window of 32 bytes of the file is looked for at every place of every file below the
directories; windows with eight equal bytes in a row do not count, as they are everywhere. What is
found is printed, a line each, and the exit code is 1.

    of the file:  words of 8 bytes at every 11th byte      24 bytes further on in both, whatever
    of a disk:    words of 8 bytes at every 2nd byte       they are shifted by, two words coincide
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

WINDOW = 32
WORD = struct.calcsize("Q")
SPARSE = struct.Struct("<Q3x")  # 11 bytes; 11 · 2 + 8 <= 32, and 11 and 2 have no common divisor
STEP = 2
EQUAL = [bytes([value]) * WORD for value in range(256)]
PIECE = 8 << 20


def windows_found(content: bytes, directories: list[Path]) -> Iterator[str]:
    """Where a window of the content is, in words."""
    whole = memoryview(content)[: len(content) // SPARSE.size * SPARSE.size]
    words = set(chain.from_iterable(SPARSE.iter_unpack(whole)))
    if len(content) - len(whole) >= WORD:
        words.add(struct.unpack_from("<Q", content, len(whole))[0])
    words.difference_update(int.from_bytes(equal, "little") for equal in EQUAL)
    for directory in directories:
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                for at in _in_file(path.read_bytes(), content, words):
                    yield f"{path} has a window of the file at byte {at}"


def _in_file(disk: bytes, content: bytes, words: set[int]) -> Iterator[int]:
    for shift in range(0, WORD, STEP):
        end = shift + max(0, len(disk) - shift) // WORD * WORD
        for start in range(shift, end, PIECE):
            view = memoryview(disk)[start : min(start + PIECE, end)].cast("Q")
            if words.isdisjoint(view):
                continue
            for number, word in enumerate(view):
                if word in words:
                    yield from _around(disk, start + number * WORD, content)


def _around(disk: bytes, at: int, content: bytes) -> Iterator[int]:
    """The first whole window around a word that is in both."""
    for start in range(max(0, at + WORD - WINDOW), min(at, len(disk) - WINDOW) + 1):
        window = disk[start : start + WINDOW]
        if not any(equal in window for equal in EQUAL) and window in content:
            yield start
            return


if __name__ == "__main__":
    found = list(windows_found(Path(sys.argv[1]).read_bytes(), [*map(Path, sys.argv[2:])]))
    print("\n".join(found[:20]))
    sys.exit(bool(found))
