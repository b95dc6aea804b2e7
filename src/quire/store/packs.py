"""The pack files: raw block bytes, appended, never moved, no offset used twice.

A pack is *active* while extents are handed out from it, and *sealed* once it is full and every
extent has been settled: recorded in the index, or punched out. Only packs that are not sealed can
hold garbage after a crash.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import TypeAlias

from quire.base.errors import DiskFull, EnvironmentProblem
from quire.base.units import GIB
from quire.store.disk import Buffer, Disk
from quire.store.extents import Extent, PackRow

PACK_BYTES_MAX = GIB
ALIGNMENT = 4096
# What a disk answers when bytes are lost. Anything else says nothing of the data.
DAMAGE = (errno.EIO, errno.EBADMSG, errno.EILSEQ, errno.ENODATA, getattr(errno, "EUCLEAN", 117))
READ_ATTEMPTS = 2  # of a page, after the disk has failed to read it together with others
_PREFIX = "pack-"
_Read: TypeAlias = Callable[[str, int, int], bytes]


def pack_name(pack: int) -> str:
    return f"{_PREFIX}{pack:06d}"


def pack_number(name: str) -> int | None:
    """The number of a pack file, None for other files."""
    digits = name.removeprefix(_PREFIX)
    return int(digits) if digits != name and digits.isdecimal() else None


class Packs:
    """Hands out extents and writes them. Safe to call from several threads."""

    def __init__(self, disk: Disk, pack_bytes_max: int = PACK_BYTES_MAX) -> None:
        self._disk = disk
        self._pack_bytes_max = pack_bytes_max
        self._lock = Lock()
        self._active = 0  # 0: none yet
        self._end = 0
        self._last = 0
        self._unsettled: dict[int, int] = {}  # extents handed out, by unsealed pack
        self._dirty: dict[int, None] = {}
        self._failed: dict[int, None] = {}

    def adopt(self, rows: Sequence[PackRow]) -> None:
        """Go on with the packs of an earlier run."""
        self._last = max([row.id for row in rows], default=0)
        names = self._disk.names()
        for row in rows:
            if not row.is_sealed:
                self._unsettled[row.id] = 0
                if row.end < self._pack_bytes_max and pack_name(row.id) in names:
                    self._active, self._end = row.id, _aligned(row.end)

    def write(self, segments: Sequence[Buffer], length: int) -> Extent:
        """Write `length` bytes to an extent of their own. Not durable until `sync`.

        Raises DiskFull; the extent is then given back."""
        extent = self._reserve(length)
        name = pack_name(extent.pack)
        try:
            self._disk.write_at(name, extent.offset, segments)
            self._disk.start_writeback(name, extent.offset, length)
        except BaseException:
            self.discard([extent])
            raise
        self._dirty[extent.pack] = None
        return extent

    def sync(self, packs: Iterable[int]) -> None:
        """Everything written to these packs is durable when this returns.

        After a failed sync nobody knows which bytes reached the disk, so the pack takes no more
        and nothing that was being written to it is ever acknowledged."""
        for pack in sorted(packs):
            if pack in self._failed:
                raise EnvironmentProblem(f"the disk failed to keep what was written to pack {pack}")
            if pack not in self._dirty:
                continue
            del self._dirty[pack]  # before the sync: what is written during it counts anew
            try:
                self._disk.sync(pack_name(pack))
            except FileNotFoundError:
                continue  # removed, because it was empty
            except (OSError, DiskFull) as error:
                self._failed[pack] = None
                with self._lock:
                    if self._active == pack:
                        self._active = 0
                if isinstance(error, DiskFull):
                    raise
                raise EnvironmentProblem(
                    f"the disk failed to keep what was written to {pack_name(pack)}: {error}"
                ) from error

    def settle(self, extents: Iterable[Extent]) -> None:
        """The extents are recorded in the index."""
        with self._lock:
            for extent in extents:
                self._unsettled[extent.pack] -= 1

    def discard(self, extents: Sequence[Extent]) -> None:
        """Give back extents that never reached the index."""
        for extent in extents:
            self.punch(extent)
        self.settle(extents)

    def punch(self, extent: Extent) -> None:
        """Give the bytes back to the disk. Whether it takes them is its business."""
        try:
            self._disk.punch(pack_name(extent.pack), extent.offset, extent.length)
        except FileNotFoundError:
            return
        self._dirty[extent.pack] = None

    def sealable(self) -> list[int]:
        """Full packs of which every extent is settled."""
        with self._lock:
            return [
                pack
                for pack, count in self._unsettled.items()
                if count == 0 and pack != self._active and pack not in self._failed
            ]

    def sealed(self, packs: Iterable[int]) -> None:
        """The index has recorded that these are sealed."""
        with self._lock:
            for pack in packs:
                self._unsettled.pop(pack, None)

    def read(
        self, place_pack: int, offset: int, length: int, *, from_medium: bool = False
    ) -> bytes:
        """Exactly `length` bytes: zeros where the file has none or the disk cannot read them, so
        that what was there fails its hash and is fetched again.

        from_medium  what the system remembers of the file does not count
        Raises       EnvironmentProblem  the disk cannot be used, which says nothing of the data
        """
        read = self._disk.read_medium if from_medium else self._disk.read_at
        name = pack_name(place_pack)
        try:
            return _filled(read(name, offset, length), length)
        except FileNotFoundError:
            return bytes(length)
        except OSError as error:
            _check_damage(name, error)
            return _read_again(read, name, offset, length)

    def remove(self, pack: int) -> None:
        """Delete a pack file that the index does not know any more."""
        self._dirty.pop(pack, None)
        try:
            self._disk.remove(pack_name(pack))
        except FileNotFoundError:
            return

    def _reserve(self, length: int) -> Extent:
        with self._lock:
            if self._active == 0 or self._end + length > self._pack_bytes_max:
                pack = self._last + 1
                self._disk.create(pack_name(pack))
                self._last = self._active = pack
                self._end = 0
                self._unsettled[pack] = 0
            extent = Extent(self._active, self._end, length)
            self._end = _aligned(self._end + length)
            self._unsettled[self._active] += 1
            return extent


def _read_again(read: _Read, name: str, offset: int, length: int) -> bytes:
    """Page by page, after the disk has failed to read all at once."""
    end = offset + length
    return b"".join(
        _read_page(read, name, at, min(ALIGNMENT, end - at)) for at in range(offset, end, ALIGNMENT)
    )


def _read_page(read: _Read, name: str, offset: int, length: int) -> bytes:
    for _ in range(READ_ATTEMPTS):
        try:
            return _filled(read(name, offset, length), length)
        except OSError as error:
            _check_damage(name, error)
    return bytes(length)


def _check_damage(name: str, error: OSError) -> None:
    if error.errno not in DAMAGE:
        raise EnvironmentProblem(f"{name} cannot be read: {error}") from error


def _filled(data: bytes, length: int) -> bytes:
    return data if len(data) == length else data + bytes(length - len(data))


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT
