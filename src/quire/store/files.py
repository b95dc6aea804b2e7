"""The real disk: one directory, positioned reads and writes, holes.

Aligned runs go past the page cache (`O_DIRECT`), since blocks are written once and read seldom, in
large runs. What is read a second time within a while is read through the cache, so that data in
demand is served from memory, and a single pass over much data pushes nothing out.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from quire.base.errors import DiskFull
from quire.kernels.files import read_file, write_file
from quire.store.disk import Buffer

OPEN_FILES_MAX = 256
MEDIUM_ALIGNMENT = 4096
RECENT_READS_MAX = 65_536  # remembered; at 1 MiB each, a pass over 64 GiB
_RECENT_UNIT_BITS = 20  # reads are remembered by the MiB in which they begin
_PUNCH_HOLE_KEEP_SIZE = 0x02 | 0x01  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
_SYNC_RANGE_WRITE = 2  # SYNC_FILE_RANGE_WRITE
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_libc = ctypes.CDLL(None, use_errno=True)
_off = ctypes.c_int64
_fallocate = getattr(_libc, "fallocate64", None)
_sync_file_range = getattr(_libc, "sync_file_range", None)
if _fallocate is not None:
    _fallocate.argtypes = (ctypes.c_int, ctypes.c_int, _off, _off)
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, _off, _off, ctypes.c_uint)


class _OpenFile:
    """A file by both ways; `direct` is -1 where the file system refuses it."""

    __slots__ = ("cached", "direct", "is_dropped", "users")

    def __init__(self, path: Path) -> None:
        self.cached = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self.direct = os.open(path, os.O_RDWR | os.O_CLOEXEC | getattr(os, "O_DIRECT", 0))
        except OSError:
            self.direct = -1
        self.users = 0
        self.is_dropped = False

    def close(self) -> None:
        os.close(self.cached)
        if self.direct >= 0:
            os.close(self.direct)


class _RecentReads:
    """What was read past the cache not long ago: one bit for each MiB, forgotten all at once."""

    def __init__(self) -> None:
        self._bits: dict[str, int] = {}
        self._count = 0
        self._lock = Lock()

    def was_read(self, name: str, offset: int) -> bool:
        return bool(self._bits.get(name, 0) >> (offset >> _RECENT_UNIT_BITS) & 1)

    def add(self, name: str, offset: int) -> None:
        with self._lock:
            if self._count == RECENT_READS_MAX:
                self._bits.clear()
                self._count = 0
            self._bits[name] = self._bits.get(name, 0) | 1 << (offset >> _RECENT_UNIT_BITS)
            self._count += 1


class DirectoryDisk:
    """`Disk` over the regular files of one directory. Safe to call from several threads."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._open: OrderedDict[str, _OpenFile] = OrderedDict()
        self._recent = _RecentReads()
        self._lock = Lock()

    def names(self) -> list[str]:
        return sorted(entry.name for entry in self.directory.iterdir() if entry.is_file())

    def create(self, name: str) -> None:
        with self._mapped(name):
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
            os.close(os.open(self.directory / name, flags, 0o600))
            self._sync_directory()

    def write_at(self, name: str, offset: int, segments: Sequence[Buffer]) -> None:
        with self._mapped(name), self._file(name) as file:
            for segment in segments:
                if len(segment):
                    write_file(file.cached, file.direct, offset, segment)
                    offset += memoryview(segment).nbytes

    def read_at(self, name: str, offset: int, length: int) -> bytes:
        is_wanted_again = self._recent.was_read(name, offset)
        with self._file(name) as file:
            data, is_direct = read_file(file.cached, file.direct, offset, length, is_wanted_again)
        if is_direct:
            self._recent.add(name, offset)
        return data

    def read_medium(self, name: str, offset: int, length: int) -> bytes:
        """Where the file system knows no way past the cache, what it has of the range is dropped
        before."""
        with self._file(name) as file:
            start = offset - offset % MEDIUM_ALIGNMENT
            size = -(-(offset + length - start) // MEDIUM_ALIGNMENT) * MEDIUM_ALIGNMENT
            fd = file.direct if file.direct >= 0 else file.cached
            if fd == file.cached:
                os.posix_fadvise(fd, start, size, os.POSIX_FADV_DONTNEED)
            with mmap.mmap(-1, size) as buffer:  # aligned, as the way past the cache wants it
                count = os.preadv(fd, [buffer], start)
                while 0 < count < size:
                    more = os.pread(file.cached, size - count, start + count)
                    if not more:
                        break
                    buffer[count : count + len(more)] = more
                    count += len(more)
                return buffer[offset - start : min(count, offset - start + length)]

    def start_writeback(self, name: str, offset: int, length: int) -> None:
        if _sync_file_range is not None:
            with self._file(name) as file:
                if file.direct < 0:
                    _sync_file_range(file.cached, offset, length, _SYNC_RANGE_WRITE)  # a hint

    def sync(self, name: str) -> None:
        with self._mapped(name), self._file(name) as file:
            os.fdatasync(file.cached)

    def punch(self, name: str, offset: int, length: int) -> None:
        with self._file(name) as file:
            if _fallocate is not None:
                if _fallocate(file.cached, _PUNCH_HOLE_KEEP_SIZE, offset, length) == 0:
                    return
                code = ctypes.get_errno()
                if code not in (errno.EOPNOTSUPP, errno.ENOSYS):
                    raise OSError(code, f"cannot punch a hole into {name}: {os.strerror(code)}")

    def truncate(self, name: str, size: int) -> None:
        with self._mapped(name), self._file(name) as file:
            os.ftruncate(file.cached, size)

    def rename(self, name: str, new_name: str) -> None:
        with self._mapped(name):
            (self.directory / name).replace(self.directory / new_name)
            with self._lock:
                self._drop(name)
                self._drop(new_name)
            self._sync_directory()

    def remove(self, name: str) -> None:
        with self._lock:
            self._drop(name)
        (self.directory / name).unlink()
        self._sync_directory()

    def size(self, name: str) -> int:
        return (self.directory / name).stat().st_size

    def allocated(self, name: str) -> int:
        return (self.directory / name).stat().st_blocks * 512

    def free_bytes(self) -> int:
        status = os.statvfs(self.directory)
        return status.f_bavail * status.f_frsize

    def close(self) -> None:
        """Close every file. Reads in progress keep theirs until they end."""
        with self._lock:
            for name in list(self._open):
                self._drop(name)

    @contextmanager
    def _file(self, name: str) -> Iterator[_OpenFile]:
        """A file, which stays open at least for the length of the block."""
        with self._lock:
            entry = self._open.get(name)
            if entry is None:
                entry = self._open[name] = _OpenFile(self.directory / name)
                while len(self._open) > OPEN_FILES_MAX:
                    self._drop(next(iter(self._open)))
            else:
                self._open.move_to_end(name)
            entry.users += 1
        try:
            yield entry
        finally:
            with self._lock:
                entry.users -= 1
                if entry.is_dropped and entry.users == 0:
                    entry.close()

    def _drop(self, name: str) -> None:
        entry = self._open.pop(name, None)
        if entry is not None:
            entry.is_dropped = True
            if entry.users == 0:
                entry.close()

    def _sync_directory(self) -> None:
        fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    @contextmanager
    def _mapped(self, name: str) -> Iterator[None]:
        """Turn "no space left" into DiskFull; other system errors pass."""
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise DiskFull(
                    f"no space left on the disk while writing {self.directory / name}"
                ) from error
            raise
