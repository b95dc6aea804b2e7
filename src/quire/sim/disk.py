"""The `Disk` in memory, with loss of power.

Each file has two contents: what programs see, and what the medium holds. `sync` makes the second
equal to the first. At a loss of power every page written since the last sync is, by the seed, kept,
lost or torn (some of its sectors new, the rest old), and a length that changed ends up at the old
value, the new one or a page boundary between. Creating, renaming and removing a file is durable
at once, as the port promises. Operations are counted, and can be made to fail.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quire.base.errors import DiskFull
from quire.base.units import GIB
from quire.store.disk import Buffer

PAGE_BYTES = 4096
SECTOR_BYTES = 512


class _File:
    """Contents as seen (`data`) and as on the medium (`durable`)."""

    __slots__ = ("bad", "data", "dirty", "durable", "pages")

    def __init__(self, content: bytes = b"", pages: Sequence[int] = ()) -> None:
        self.data = bytearray(content)
        self.durable = bytearray(content)
        self.dirty: dict[int, None] = {}  # pages changed since the last sync
        self.pages: dict[int, None] = dict.fromkeys(pages)  # pages that occupy the medium
        self.bad: dict[int, None] = {}  # pages that cannot be read until they are written anew

    def copy(self) -> _File:
        """The same file after the program died and the machine did not."""
        twin = _File(bytes(self.durable), list(self.pages))
        twin.data = bytearray(self.data)
        twin.dirty = dict(self.dirty)
        twin.bad = dict(self.bad)
        return twin


@dataclass(slots=True)
class Medium:
    """The size of a disk, which a crash does not change, and how much of it others take."""

    capacity_bytes: int
    taken_bytes: int = 0


class SimDisk:
    """One simulated disk. `on_step` is called before each operation that changes something."""

    def __init__(
        self,
        rng: random.Random,
        *,
        capacity_bytes: int = 64 * GIB,
        medium: Medium | None = None,
        on_step: Callable[[str], None] | None = None,
        on_fault: Callable[[str], None] | None = None,
    ) -> None:
        self.medium = medium or Medium(capacity_bytes)
        self.counts: dict[str, int] = {}
        self._rng = rng
        self._on_step = on_step
        self._on_fault = on_fault
        self._files: dict[str, _File] = {}
        self._failures: dict[str, list[OSError]] = {}
        self._twists: list[str] = []  # of the next writes to packs: "lost-write", "misdirected"

    # ---- the port ----

    def names(self) -> list[str]:
        return sorted(self._files)

    def create(self, name: str) -> None:
        self._step("create")
        if name in self._files:
            raise FileExistsError(errno.EEXIST, "the file exists", name)
        self._files[name] = _File()

    def write_at(self, name: str, offset: int, segments: Sequence[Buffer]) -> None:
        self._step("write")
        file = self._file(name)
        content = b"".join(bytes(segment) for segment in segments)
        if self._twists and name.startswith("pack-") and file.data:
            self._twist(file, offset, content)
            return
        fits = self._fitting(file, offset, len(content))
        self._put(file, offset, content[:fits])
        if fits < len(content):
            raise DiskFull(f"no space left on the disk while writing {name}")

    def read_at(self, name: str, offset: int, length: int) -> bytes:
        self._fail_if_planned("read")
        file = self._file(name)
        if any(page in file.bad for page in _pages(offset, offset + length)):
            raise OSError(errno.EIO, "a bad sector", name)
        return bytes(file.data[offset : offset + length])

    def read_medium(self, name: str, offset: int, length: int) -> bytes:
        return self.read_at(name, offset, length)

    def start_writeback(self, name: str, offset: int, length: int) -> None:
        self._file(name)

    def sync(self, name: str) -> None:
        self._step("sync")
        file = self._file(name)
        file.durable = bytearray(file.data)
        file.dirty.clear()

    def punch(self, name: str, offset: int, length: int) -> None:
        self._step("punch")
        file = self._file(name)
        end = min(offset + length, len(file.data))
        if end > offset:
            file.data[offset:end] = bytes(end - offset)
            file.dirty.update(dict.fromkeys(_pages(offset, end)))
            for page in range(-(-offset // PAGE_BYTES), (offset + length) // PAGE_BYTES):
                file.pages.pop(page, None)
                file.bad.pop(page, None)

    def truncate(self, name: str, size: int) -> None:
        self._step("truncate")
        file = self._file(name)
        first, last = sorted((size, len(file.data)))
        file.dirty.update(dict.fromkeys(_pages(first, last)))
        del file.data[size:]
        file.data.extend(bytes(size - len(file.data)))
        kept = -(-size // PAGE_BYTES)
        file.pages = {page: None for page in file.pages if page < kept}
        file.bad = {page: None for page in file.bad if page < kept}

    def rename(self, name: str, new_name: str) -> None:
        self._step("rename")
        self._files[new_name] = self._file(name)
        if new_name != name:
            del self._files[name]

    def remove(self, name: str) -> None:
        self._step("remove")
        self._file(name)
        del self._files[name]

    def size(self, name: str) -> int:
        return len(self._file(name).data)

    def allocated(self, name: str) -> int:
        return len(self._file(name).pages) * PAGE_BYTES

    def free_bytes(self) -> int:
        used = sum(len(file.pages) for file in self._files.values()) * PAGE_BYTES
        return max(0, self.medium.capacity_bytes - self.medium.taken_bytes - used)

    def close(self) -> None:
        """Nothing is held open."""

    # ---- faults ----

    def crash(self, *, loses_power: bool = True) -> SimDisk:
        """The disk as the next start finds it. This object lives on without any effect on it.

        With `loses_power` false only the program died: the system still holds what was written,
        and a later loss of power can still take what was never synced.
        """
        found = SimDisk(self._rng, medium=self.medium, on_fault=self._on_fault)
        for name, file in self._files.items():
            found._files[name] = self._after_power_loss(file) if loses_power else file.copy()
        return found

    def connect(
        self, on_step: Callable[[str], None], on_fault: Callable[[str], None] | None = None
    ) -> None:
        """Call `on_step` before each change from now on, `on_fault` when a fault takes effect."""
        self._on_step = on_step
        self._on_fault = on_fault

    def corrupt(self, name: str, offset: int) -> None:
        """Flip the bits of one byte, on the medium and in what programs see."""
        self._injected("rot")
        file = self._file(name)
        file.data[offset] ^= 0xFF
        if offset < len(file.durable):
            file.durable[offset] ^= 0xFF

    def lose_sector(self, name: str, offset: int) -> None:
        """The page around this byte cannot be read any more."""
        self._injected("bad-sector")
        self._file(name).bad[offset // PAGE_BYTES] = None

    def twist_next(self, how: str) -> None:
        """The next write to a pack is reported as done, and is not ("lost-write") or goes to
        another place of the file ("misdirected")."""
        self._twists.append(how)

    def leave_free(self, free_bytes: int) -> None:
        """Something else takes all space but this much."""
        self.medium.taken_bytes += max(0, self.free_bytes() - free_bytes)

    def give_back(self) -> None:
        """Nothing else takes space any more."""
        self.medium.taken_bytes = 0

    def fail_next(self, operation: str, code: int, *, once: bool = False) -> None:
        """The next `operation` (create, write, read, sync, punch, truncate, rename, remove) raises
        this errno; with `once`, only if none of its kind is going to already."""
        if once and self._failures.get(operation):
            return
        self._failures.setdefault(operation, []).append(OSError(code, errno.errorcode[code]))

    def calm(self) -> None:
        """Nothing that was planned goes wrong any more."""
        self._failures.clear()
        self._twists.clear()
        self.give_back()

    # ---- inside ----

    def _file(self, name: str) -> _File:
        file = self._files.get(name)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, "no such file", name)
        return file

    def _step(self, operation: str) -> None:
        if self._on_step is not None:
            self._on_step(operation)
        self.counts[operation] = self.counts.get(operation, 0) + 1
        self._fail_if_planned(operation)

    def _fail_if_planned(self, operation: str) -> None:
        planned = self._failures.get(operation)
        if planned:
            error = planned.pop(0)
            self._injected(f"{operation}-{error.strerror}")
            if error.errno == errno.ENOSPC:
                raise DiskFull(f"no space left on the disk ({operation})")
            raise error

    def _injected(self, kind: str) -> None:
        if self._on_fault is not None:
            self._on_fault(kind)

    def _twist(self, file: _File, offset: int, content: bytes) -> None:
        """What a write does to the medium when the disk does not do what it says."""
        how = self._twists.pop(0)
        self._injected(how)
        if how == "misdirected":
            pages = max(1, len(file.data) // PAGE_BYTES)
            self._put(file, self._rng.randrange(pages) * PAGE_BYTES, content)
        elif len(file.data) < offset + len(content):
            file.data.extend(bytes(offset + len(content) - len(file.data)))

    def _fitting(self, file: _File, offset: int, length: int) -> int:
        """How many of `length` bytes at `offset` the free pages take."""
        free = self.free_bytes() // PAGE_BYTES
        for page in _pages(offset, offset + length):
            if page not in file.pages:
                if free == 0:
                    return max(0, page * PAGE_BYTES - offset)
                free -= 1
        return length

    def _put(self, file: _File, offset: int, content: bytes) -> None:
        if not content:
            return
        end = offset + len(content)
        if len(file.data) < end:
            file.data.extend(bytes(end - len(file.data)))
        file.data[offset:end] = content
        touched = dict.fromkeys(_pages(offset, end))
        file.dirty.update(touched)
        file.pages.update(touched)
        for page in touched:
            file.bad.pop(page, None)

    def _after_power_loss(self, file: _File) -> _File:
        size = self._size_found(len(file.durable), len(file.data))
        content = bytearray(file.durable[:size])
        content.extend(bytes(size - len(content)))
        for page in sorted(file.dirty):
            start = page * PAGE_BYTES
            fate = self._rng.choice(("kept", "lost", "torn"))
            for sector in range(start, min(start + PAGE_BYTES, size), SECTOR_BYTES):
                if fate == "kept" or (fate == "torn" and self._rng.random() < 0.5):
                    new = file.data[sector : min(sector + SECTOR_BYTES, size)]
                    content[sector : sector + len(new)] = new
        last = -(-size // PAGE_BYTES)
        found = _File(bytes(content), [page for page in file.pages if page < last])
        found.bad = {page: None for page in file.bad if page < last}
        return found

    def _size_found(self, old: int, new: int) -> int:
        low, high = sorted((old, new))
        between = [page * PAGE_BYTES for page in range(low // PAGE_BYTES + 1, high // PAGE_BYTES)]
        choices = [old, new]
        if between:
            choices.append(self._rng.choice(between))
        return self._rng.choice(choices)


def _pages(start: int, stop: int) -> range:
    """Pages that the bytes [start, stop) touch."""
    return range(start // PAGE_BYTES, -(-stop // PAGE_BYTES)) if stop > start else range(0)
