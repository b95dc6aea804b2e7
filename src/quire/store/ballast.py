"""A file that is given up when the disk is full, so that deleting still works (W9)."""

from __future__ import annotations

from quire.base.errors import DiskFull
from quire.base.units import MIB
from quire.store.disk import Disk

NAME = "ballast"
BALLAST_BYTES = 16 * MIB
_STEP = MIB


class Ballast:
    """Kept at `size_bytes` while there is room. Blocking calls, one at a time."""

    def __init__(self, disk: Disk, size_bytes: int = BALLAST_BYTES) -> None:
        self._disk = disk
        self._size_bytes = size_bytes
        self._is_kept = False

    def keep(self) -> None:
        """Take the room if there is plenty of it; otherwise try again at the next call."""
        if self._is_kept or self._size_bytes == 0:
            return
        if self._disk.free_bytes() < 4 * self._size_bytes:
            return
        try:
            if NAME not in self._disk.names():
                self._disk.create(NAME)
            zeros = bytes(_STEP)
            for offset in range(self._disk.size(NAME), self._size_bytes, _STEP):
                self._disk.write_at(NAME, offset, [zeros])
            self._is_kept = True
        except DiskFull:
            self.drop()

    def drop(self) -> bool:
        """Give the room up; False when there was none."""
        self._is_kept = False
        if NAME not in self._disk.names() or self._disk.size(NAME) == 0:
            return False
        self._disk.truncate(NAME, 0)
        return True
