"""Reads and writes past the page cache: what is written is read, errors keep their number."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from quire.kernels.files import read_file, write_file

PAGE = 4096


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """One file by both ways; the second is -1 where the file system refuses it."""
    path = tmp_path / "pack"
    cached = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        direct = os.open(path, os.O_RDWR | os.O_DIRECT)
    except OSError:
        direct = -1
    yield cached, direct
    os.close(cached)
    if direct >= 0:
        os.close(direct)


@pytest.mark.parametrize("size", [PAGE, 10 * PAGE, (3 << 20) + PAGE, 1, 10_001])
@pytest.mark.parametrize("offset", [0, PAGE, 77])
@pytest.mark.parametrize("fill_cache", [False, True])
def test_what_is_written_is_read(
    files: tuple[int, int], size: int, offset: int, fill_cache: bool
) -> None:
    data = os.urandom(size)
    write_file(*files, offset, memoryview(data))
    assert read_file(*files, offset, size, fill_cache)[0] == data


def test_a_read_ends_with_the_file(files: tuple[int, int]) -> None:
    write_file(*files, 0, bytes(2 * PAGE))
    assert read_file(*files, PAGE, 4 * PAGE, False)[0] == bytes(PAGE)
    assert read_file(*files, 8 * PAGE, PAGE, False)[0] == b""


def test_what_is_read_through_the_cache_is_then_in_it(files: tuple[int, int]) -> None:
    write_file(*files, 0, bytes(64 * PAGE))
    read_file(*files, 0, 64 * PAGE, True)
    assert read_file(*files, 0, 64 * PAGE, False) == (bytes(64 * PAGE), False)


def test_an_error_keeps_its_number() -> None:
    with pytest.raises(OSError, match="Bad file descriptor") as failed:
        write_file(-1, -1, 0, b"x")
    assert failed.value.errno == errno.EBADF
    with pytest.raises(OSError, match="Bad file descriptor") as failed:
        read_file(-1, -1, 0, 1, False)
    assert failed.value.errno == errno.EBADF
