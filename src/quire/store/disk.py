"""The port to the disk: named files of one directory, with explicit durability.

Two adapters exist: `files.py` (the real disk) and `quire.sim.disk` (memory, with crash points: what
was not synced may be lost, in any combination). All calls block; the store runs them off the event
loop. Names are plain file names without directories.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview


class Disk(Protocol):
    """A flat directory of files. Raises `DiskFull` when space runs out, OSError otherwise."""

    def names(self) -> list[str]:
        """All file names, sorted."""

    def create(self, name: str) -> None:
        """Make an empty file and make its name durable. FileExistsError when it exists."""

    def write_at(self, name: str, offset: int, segments: Sequence[Buffer]) -> None:
        """Write the segments one after the other from `offset` on, growing the file. Not durable
        until `sync`. Calls for disjoint ranges may run at the same time."""

    def read_at(self, name: str, offset: int, length: int) -> bytes:
        """Exactly `length` bytes, or fewer at the end of the file."""

    def read_medium(self, name: str, offset: int, length: int) -> bytes:
        """As `read_at`, but what the medium holds, not what the system remembers of it; and it
        leaves the memory of the system as it was."""

    def start_writeback(self, name: str, offset: int, length: int) -> None:
        """A hint: begin to write the range to the medium now, so that `sync` is short."""

    def sync(self, name: str) -> None:
        """Everything written so far is durable when this returns."""

    def punch(self, name: str, offset: int, length: int) -> None:
        """Give the range back to the disk; it reads as zeros. Size stays. Durable after `sync`."""

    def truncate(self, name: str, size: int) -> None:
        """Cut the file to `size` bytes."""

    def rename(self, name: str, new_name: str) -> None:
        """Give the file another name, durably and in one step; a file that had it is gone.
        FileNotFoundError when there is no such file."""

    def remove(self, name: str) -> None:
        """Delete the file, durably."""

    def size(self, name: str) -> int:
        """Length in bytes, holes included."""

    def allocated(self, name: str) -> int:
        """Bytes really occupied on the medium."""

    def free_bytes(self) -> int:
        """Space left for this user on the disk."""
