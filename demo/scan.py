"""Looks for a file's bytes on disks: `python -m demo.scan FILE DIRECTORY...`.

Every window of 32 bytes of the file is looked for at every place of every file below the
directories. Windows with eight bytes in a row of at most two values do not count: they are
everywhere. What is found is printed, a line each, and the exit code is 1; else how many bytes were
looked at.

    of the file:  words of 8 bytes at every 11th byte      in windows that are equal, wherever they
    of a disk:    words of 8 bytes at every 2nd byte       stand, two of these words coincide
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
DULL_VALUES = 2
PIECE = 1 << 20
NOTHING = bytes(PIECE)


def windows_found(content: bytes, directories: list[Path]) -> Iterator[str]:
    """Where a window of the content is, in words."""
    padded = content + bytes(SPARSE.size - len(content) % SPARSE.size)
    words = set(chain.from_iterable(SPARSE.iter_unpack(padded)))
    for directory in directories:
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                disk = path.read_bytes()
                for at in _windows(disk, list(_hits(disk, words)), content, padded):
                    yield f"{path} has a window of the file at byte {at}"


def _hits(disk: bytes, words: set[int]) -> Iterator[tuple[int, int]]:
    """(place, word) on a disk of words that are in the file, too. Dull ones are forgotten."""
    for shift in range(0, WORD, STEP):
        end = shift + max(0, len(disk) - shift) // WORD * WORD
        for start in range(shift, end, PIECE):
            piece = memoryview(disk)[start : min(start + PIECE, end)]
            if piece == NOTHING[: len(piece)]:
                continue  # as in files that have room for more
            view = piece.cast("Q")
            if not words.isdisjoint(view):
                for number, word in enumerate(view):
                    if word not in words:
                        continue
                    if _is_dull(word):
                        words.discard(word)
                    else:
                        yield start + number * WORD, word


def _windows(
    disk: bytes, hits: list[tuple[int, int]], content: bytes, padded: bytes
) -> Iterator[int]:
    """Where whole windows are equal around words that are."""
    places: dict[int, list[int]] = {word: [] for _, word in hits}
    if places:
        for number, (word,) in enumerate(SPARSE.iter_unpack(padded)):
            if word in places:
                places[word].append(number * SPARSE.size)
    for at, word in hits:
        for place in places[word]:
            back = _equal(
                disk[max(0, at - WINDOW) : at][::-1], content[max(0, place - WINDOW) : place][::-1]
            )
            on = _equal(disk[at : at + WINDOW], content[place : place + WINDOW])
            run = disk[at - back : at + on]
            if any(_is_telling(run[n : n + WINDOW]) for n in range(len(run) - WINDOW + 1)):
                yield at - back
                break


def _equal(one: bytes, other: bytes) -> int:
    """How many bytes they begin with are the same."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def _is_dull(word: int) -> bool:
    return len(set(word.to_bytes(WORD, "little"))) <= DULL_VALUES


def _is_telling(window: bytes) -> bool:
    starts = range(WINDOW - WORD + 1)
    return all(len(set(window[n : n + WORD])) > DULL_VALUES for n in starts)


if __name__ == "__main__":
    places = [Path(name) for name in sys.argv[2:]]
    found = list(windows_found(Path(sys.argv[1]).read_bytes(), places))
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    print("\n".join(found[:20]) or sum(path.stat().st_size for path in files))
    sys.exit(bool(found))
