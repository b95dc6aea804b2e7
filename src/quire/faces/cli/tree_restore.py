"""Writes a tree below one directory of this disk, and nowhere else.

Every step is taken from an open directory to a name in it, and no symbolic link is followed, so
that neither a hostile listing nor a link that somebody puts there can lead outside. A file appears
under its name when it is whole; until then it has a name that ends in `.quire-part`. Large files
are synced; small ones are left to the system, as a sync each would take most of the time: after a
power cut the tree is restored again, which checks every hash and writes only what is wrong.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

from quire.base.errors import InputError, IntegrityError
from quire.base.units import MIB
from quire.formats.directory import DIRECTORY, FILE, SYMLINK, Entry, check_entry
from quire.formats.tar import DEFAULT_MODES

PART_SUFFIX = ".quire-part"
_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_PRIVATE = 0o700
_SYNC_FROM_BYTES = 1 * MIB


class Restorer:
    """A context. Files and links in any order, `finish` at last. Raises `InputError` for what is in
    the way or cannot be written."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._stack: list[tuple[str, int]] = []  # (name, descriptor), from the top down
        self._inodes: dict[tuple[int, int], str] = {}  # of files that are right -> path

    def __enter__(self) -> Self:
        with self._told(""):
            self._top.mkdir(parents=True, exist_ok=True)
            self._stack = [("", os.open(self._top, os.O_RDONLY | os.O_DIRECTORY))]
        return self

    def __exit__(self, *_: object) -> None:
        for _name, descriptor in self._stack:
            os.close(descriptor)
        self._stack = []

    def make_directory(self, entry: Entry) -> None:
        """Have the directory there, writable for now; `finish` gives it its mode and time."""
        check_entry(entry)
        with self._told(entry.path):
            self._enter(entry.path.split("/"))

    def is_right(self, entry: Entry) -> bool:
        """Whether the file is there with these very bytes; it gets its mode and time then."""
        with self._told(entry.path):
            try:
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
                parent, name = self._parent(entry)
                descriptor = os.open(name, flags, dir_fd=parent)
            except OSError:
                return False  # absent, a link, or not to be read: it is written anew
            with os.fdopen(descriptor, "rb", buffering=0) as file:
                state = os.fstat(file.fileno())
                if not stat.S_ISREG(state.st_mode) or state.st_size != entry.size:
                    return False
                if entry.size and hashlib.file_digest(file, "sha256").digest() != entry.digest:
                    return False
                _dress(file.fileno(), entry)
                self._claim(entry, state)
                return True

    @contextmanager
    def draft(self, entry: Entry) -> Iterator[Draft]:
        """A file to be written; it appears when the context ends well and its bytes are right."""
        check_entry(entry)
        with self._told(entry.path), ExitStack() as cleanup:
            parent, name = self._parent(entry)
            part = hashlib.sha256(name.encode()).hexdigest()[:16] + PART_SUFFIX
            with suppress(FileNotFoundError):
                os.unlink(part, dir_fd=parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            descriptor = os.open(part, flags, 0o600, dir_fd=parent)
            cleanup.callback(_discard, part, parent)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                draft = Draft(file.fileno(), entry)
                yield draft
                draft.check()
                _dress(file.fileno(), entry)
                if entry.size >= _SYNC_FROM_BYTES:
                    os.fsync(file.fileno())
                self._claim(entry, os.fstat(file.fileno()), parent, name)
            os.rename(part, name, src_dir_fd=parent, dst_dir_fd=parent)
            cleanup.pop_all()

    def make_link(self, entry: Entry) -> None:
        """Put a symbolic link there; what it names is never touched."""
        check_entry(entry)
        with self._told(entry.path):
            parent, name = self._parent(entry)
            try:
                is_there = os.readlink(name, dir_fd=parent) == entry.text
            except OSError:
                is_there = False
            if not is_there:
                part = hashlib.sha256(name.encode()).hexdigest()[:16] + PART_SUFFIX
                with suppress(FileNotFoundError):
                    os.unlink(part, dir_fd=parent)
                os.symlink(entry.text, part, dir_fd=parent)
                os.rename(part, name, src_dir_fd=parent, dst_dir_fd=parent)
            if entry.mtime is not None:
                times = (entry.mtime, entry.mtime)
                os.utime(name, ns=times, dir_fd=parent, follow_symlinks=False)

    def finish(self, directories: list[Entry]) -> None:
        """Give the directories their modes and times, the deepest first."""
        for entry in reversed(directories):
            with self._told(entry.path):
                self._enter(entry.path.split("/"))
                _dress(self._stack[-1][1], entry)

    def _parent(self, entry: Entry) -> tuple[int, str]:
        """(open directory, name in it)."""
        *above, name = entry.path.split("/")
        return self._enter(above), name

    def _enter(self, names: list[str]) -> int:
        """The directory of these names, made where it is missing; kept open for the next."""
        depth = 0
        while depth < len(names) and depth + 1 < len(self._stack):
            if self._stack[depth + 1][0] != names[depth]:
                break
            depth += 1
        while len(self._stack) > depth + 1:
            os.close(self._stack.pop()[1])
        for name in names[depth:]:
            above = self._stack[-1][1]
            with suppress(FileExistsError):
                os.mkdir(name, _PRIVATE, dir_fd=above)
            try:
                descriptor = os.open(name, _DIRECTORY_FLAGS, dir_fd=above)
            except NotADirectoryError:
                raise InputError(
                    f"{name!r} is in the way in {self._top}: a directory has to be there, and it is"
                    " a file or a link"
                ) from None
            self._stack.append((name, descriptor))
            mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
            if mode & _PRIVATE != _PRIVATE:
                os.fchmod(descriptor, mode | _PRIVATE)
        return self._stack[-1][1]

    def _claim(
        self, entry: Entry, state: os.stat_result, parent: int | None = None, name: str = ""
    ) -> None:
        """Remember which file the entry is; refuse to replace one that was just written, which
        happens where two names that differ are one, as on disks that ignore the case."""
        if parent is not None:
            with suppress(FileNotFoundError):
                old = os.stat(name, dir_fd=parent, follow_symlinks=False)
                other = self._inodes.get((old.st_dev, old.st_ino))
                if other is not None and old.st_nlink == 1:
                    raise InputError(
                        f"{entry.path!r} and {other!r} are one name on this disk; restore to a disk"
                        " that tells them apart"
                    )
        self._inodes[state.st_dev, state.st_ino] = entry.path

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place = self._top / path
            raise InputError(f"{place} cannot be written: {error.strerror}") from None


class Draft:
    """A file that is being written."""

    def __init__(self, descriptor: int, entry: Entry) -> None:
        self._descriptor = descriptor
        self._entry = entry
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> None:
        self._digest.update(data)
        self._size += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def check(self) -> None:
        """Raise `IntegrityError` unless what was written is what the directory says."""
        right = self._digest.digest() == self._entry.digest if self._entry.size else True
        if self._size != self._entry.size or not right:
            raise IntegrityError(f"the node sent wrong bytes for {self._entry.path!r}")


def restore_order(entries: list[Entry]) -> tuple[list[Entry], list[Entry], list[Entry]]:
    """(directories, files, links), in order.

    Raises   IntegrityError  something lies below what is no directory
    """
    kinds = {entry.path: entry.kind for entry in entries}
    for entry in entries:
        parent = entry.path.rpartition("/")[0]
        if parent and kinds.get(parent) != DIRECTORY:
            raise IntegrityError(f"the directory lists {entry.path!r} below what is no directory")
    picked = [[e for e in entries if e.kind == kind] for kind in (DIRECTORY, FILE, SYMLINK)]
    return picked[0], picked[1], picked[2]


def _dress(descriptor: int, entry: Entry) -> None:
    os.fchmod(descriptor, DEFAULT_MODES[entry.kind] if entry.mode is None else entry.mode)
    if entry.mtime is not None:
        os.utime(descriptor, ns=(entry.mtime, entry.mtime))


def _discard(part: str, parent: int) -> None:
    with suppress(OSError):
        os.unlink(part, dir_fd=parent)
