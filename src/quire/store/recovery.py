"""What a crash left behind is undone before the store is used again.

Only packs that were not sealed can hold garbage: bytes past the recorded end, and gaps between the
recorded runs. Uploads that were under way are condemned; the reclaimer takes them apart later. No
block is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quire.base.errors import DiskFull, EnvironmentProblem
from quire.store.ballast import Ballast
from quire.store.disk import Disk
from quire.store.doubt import doubt_padding
from quire.store.extents import Extent, PackRow
from quire.store.meta import Meta
from quire.store.packs import pack_name, pack_number

RUNNING = "running"  # setting: 1 from open to close


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was found at the start."""

    was_clean: bool
    garbage_bytes: int  # cut off or punched out
    missing_packs: list[int]
    packs: list[PackRow]


def recover(disk: Disk, meta: Meta, ballast: Ballast) -> Recovered:
    """Make files and index agree, and mark the store as running. Blocking.

    Raises   DiskFull, StoreCorrupt
             EnvironmentProblem  the disk cannot be read or written
    """
    try:
        return _recover(disk, meta, ballast)
    except OSError as error:
        raise EnvironmentProblem(
            f"the disk failed while the store was being opened: {error}; check the disk"
        ) from error


def _recover(disk: Disk, meta: Meta, ballast: Ballast) -> Recovered:
    catalog = meta.reading.catalog
    was_clean = catalog.setting(RUNNING) != 1
    rows = meta.reading.extents.packs()
    names = disk.names()
    garbage = _remove_unknown(disk, rows, names)
    if not was_clean:
        garbage += _clear_packs(disk, meta, rows, names)
        _with_ballast(ballast, lambda: _condemn_uploads(meta))
    _with_ballast(ballast, lambda: doubt_padding(meta))
    _with_ballast(ballast, lambda: set_running(meta, True))
    present = {pack_number(name) for name in names}
    missing = [row.id for row in rows if row.id not in present and row.live > 0]
    return Recovered(was_clean, garbage, missing, rows)


def set_running(meta: Meta, is_running: bool) -> None:
    """Note that the store is open, or was closed in good order."""
    with meta.transaction() as tables:
        tables.catalog.set_setting(RUNNING, 1 if is_running else 0)


def _condemn_uploads(meta: Meta) -> None:
    with meta.transaction() as tables:
        tables.trees.condemn_staging()


def _remove_unknown(disk: Disk, rows: list[PackRow], names: list[str]) -> int:
    """Packs in which nothing was ever recorded; an upload that ends as first leaves one behind,
    also when the store is closed in good order."""
    known = {row.id for row in rows}
    cleared = 0
    for name in names:
        number = pack_number(name)
        if number is not None and number not in known:
            cleared += disk.size(name)
            disk.remove(name)
    return cleared


def _clear_packs(disk: Disk, meta: Meta, rows: list[PackRow], names: list[str]) -> int:
    cleared = 0
    for row in rows:
        if row.is_sealed or pack_name(row.id) not in names:
            continue
        cleared += _clear_pack(disk, row, meta.reading.extents.runs(row.id))
    return cleared


def _clear_pack(disk: Disk, row: PackRow, runs: list[Extent]) -> int:
    name = pack_name(row.id)
    cleared = 0
    size = disk.size(name)
    if size > row.end:
        disk.truncate(name, row.end)
        cleared += size - row.end
    at = 0
    for run in [*runs, Extent(row.id, row.end, 0)]:
        if run.offset > at:
            disk.punch(name, at, run.offset - at)
            cleared += run.offset - at
        at = max(at, run.offset + run.length)
    disk.sync(name)
    return cleared


def _with_ballast(ballast: Ballast, work: Callable[[], None]) -> None:
    try:
        work()
    except DiskFull:
        if not ballast.drop():
            raise
        work()
