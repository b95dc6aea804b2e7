"""Messages between two processes of one machine: small things through the pipe, buffers past it.

    frame  4 bytes: length of the rest, big-endian
           pickle of (payload, file name or "", lengths of the buffers in the file)

Buffers are written to a file in memory and mapped by the reader, who removes its name. Both ends
are this program, and nobody else can write to the pipe or the directory.
"""

from __future__ import annotations

import mmap
import os
import pickle
import tempfile
from collections.abc import Sequence
from pathlib import Path

from quire.base.units import GIB, KIB

LENGTH_BYTES = 4
IN_BAND_BYTES = 64 * KIB  # shorter buffers go with the payload
_MEMORY = Path("/dev/shm")  # noqa: S108
_MEMORY_FREE_BYTES = GIB  # with less, files are on the disk
_WRITTEN_AT_ONCE = 64  # buffers of one writev; systems allow 1024


class Shared:
    """Something that the other end keeps, by its number there."""

    def __init__(self, number: int) -> None:
        self.number = number


def frame_directory() -> tempfile.TemporaryDirectory[str]:
    """Where buffers may lie: memory where there is enough of it. For this user only."""
    place: Path | None = None
    if _MEMORY.is_dir():
        space = os.statvfs(_MEMORY)
        place = _MEMORY if space.f_bavail * space.f_frsize >= _MEMORY_FREE_BYTES else None
    return tempfile.TemporaryDirectory(prefix="quire-workers-", dir=place)


def pack(message: object, directory: Path) -> bytes:
    """The frame. Buffers that are to go past the pipe are wrapped in PickleBuffer. Blocking.
    Raises OSError when there is no room for them."""
    buffers: list[memoryview] = []

    def stays(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes < IN_BAND_BYTES:
            return True
        buffers.append(view)
        return False

    payload = pickle.dumps(message, protocol=5, buffer_callback=stays)
    name = _write(directory, buffers) if buffers else ""
    body = pickle.dumps((payload, name, [view.nbytes for view in buffers]))
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def unpack(body: bytes, directory: Path) -> object:
    """The message; large buffers in it are views of memory, readable only."""
    payload, name, lengths = pickle.loads(body)  # noqa: S301 - this program wrote it
    if not name:
        return pickle.loads(payload)  # noqa: S301
    path = directory / name
    with path.open("rb") as file:
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    path.unlink()
    buffers, start = [], 0
    for length in lengths:
        buffers.append(view[start : start + length])
        start += length
    return pickle.loads(payload, buffers=buffers)  # noqa: S301


def _write(directory: Path, buffers: Sequence[memoryview]) -> str:
    handle, path = tempfile.mkstemp(dir=directory)
    try:
        for start in range(0, len(buffers), _WRITTEN_AT_ONCE):
            left = list(buffers[start : start + _WRITTEN_AT_ONCE])
            while left:
                written = os.writev(handle, left)
                while left and written >= left[0].nbytes:
                    written -= left.pop(0).nbytes
                if left:
                    left[0] = left[0][written:]
    except OSError:
        Path(path).unlink()
        raise
    finally:
        os.close(handle)
    return Path(path).name
