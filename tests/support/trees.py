"""Directories for tests: made in memory as bytes, and trees on the disk compared by walking."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from pathlib import Path

from quire.formats.directory import DIRECTORY, FILE, SYMLINK, Entry
from quire.formats.directory_writer import DirectoryWriter

MTIME = 1_700_000_000_123_456_789


def directory_bytes(files: dict[str, bytes], *more: Entry) -> bytes:
    """The directory with these files and other entries."""
    writer, out = DirectoryWriter(), bytearray()
    entries = [(Entry(path, FILE, 0o640, MTIME, len(data)), data) for path, data in files.items()]
    entries += [(entry, b"") for entry in more]
    for entry, data in sorted(entries, key=lambda each: each[0].key):
        out += writer.begin(entry) + data + writer.end(hashlib.sha256(data).digest())
    return bytes(out + writer.finish())


def a_link(path: str, target: str) -> Entry:
    return Entry(path, SYMLINK, 0o777, MTIME, text=target)


def a_directory(path: str, mode: int = 0o755) -> Entry:
    return Entry(path, DIRECTORY, mode, MTIME)


def tar_bytes(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def member(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = ""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mtime = kind, target, len(data), 1_700_000_000
    return info, data


def snapshot(top: Path) -> dict[str, tuple[object, ...]]:
    """Everything of a tree that a restored one must have too, by path."""
    found: dict[str, tuple[object, ...]] = {}
    for here, names, files in os.walk(top):
        for name in (*names, *files):
            path = Path(here, name)
            state = path.lstat()
            kind = stat.S_IFMT(state.st_mode)
            content: object = None
            if stat.S_ISREG(state.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            elif stat.S_ISLNK(state.st_mode):
                content = str(path.readlink())
            mode = stat.S_IMODE(state.st_mode) & 0o777
            found[str(path.relative_to(top))] = (kind, mode, state.st_mtime_ns, content)
    return found
