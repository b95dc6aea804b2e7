"""Reads what the trees say is here, from the medium, in order; finds what the disk has lost.

A position is page << 10 | leaf: it stays valid whatever is written and deleted meanwhile. What is
read twice and fails both times is a suspect; the quarantine decides whether it is a loss.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from quire.base.ranges import RangeSet
from quire.kernels.hashing import verify_blocks
from quire.store.changes import dataset_of
from quire.store.core import Core
from quire.store.dataset import Dataset
from quire.store.extents import OFFSET_BITS, OFFSET_MASK
from quire.store.page import LeafPage
from quire.store.quarantine import Suspect
from quire.store.shape import PAGE_HEIGHT_MAX, PAGE_LEAVES
from quire.store.trees import VISIBLE, TreeRow

READ_BYTES_MAX = 1 << 20  # in one call


@dataclass(slots=True)
class Scanned:
    """One step. `position` is where the next begins; None: everything was read."""

    position: int | None = None
    read_bytes: int = 0
    suspects: list[Suspect] = field(default_factory=list)
    lost_leaves: int = 0  # that count as missing from now on


@dataclass(frozen=True, slots=True)
class Wound:
    """What a dataset has lost and not got back."""

    dataset: Dataset
    leaves: RangeSet

    def byte_ranges(self) -> list[tuple[int, int]]:
        """[start, stop) of the dataset's bytes; what is only padding is left out."""
        size, block = self.dataset.manifest.dataset_size, self.dataset.manifest.block_size
        found = [(start * block, min(stop * block, size)) for start, stop in self.leaves]
        return [(start, stop) for start, stop in found if start < stop]


def scan(core: Core, position: int, bytes_max: int) -> Scanned:
    """Read up to so many bytes from a position on. Blocking."""
    trees = core.meta.reading.trees
    page = trees.page_from(position >> PAGE_HEIGHT_MAX)
    if page is None:
        return Scanned()
    at = trees.page_id(page)
    first = position & (PAGE_LEAVES - 1) if at == position >> PAGE_HEIGHT_MAX else 0
    step = Scanned(position=(at + 1) << PAGE_HEIGHT_MAX)
    row = trees.by_id(page.tree_id)
    if row is None or row.state != VISIBLE:
        return step
    leaf = first
    while leaf < page.leaf_count:
        if step.read_bytes >= bytes_max:
            step.position = at << PAGE_HEIGHT_MAX | leaf
            break
        leaf = _read_run(core, step, row, page, leaf)
    return step


def present_bytes(core: Core) -> int:
    """How many bytes a scan from the beginning reads. Blocking."""
    rows = core.meta.reading.trees.every()
    return sum(row.present_count * row.block_size for row in rows if row.state == VISIBLE)


def wounds(core: Core) -> list[Wound]:
    """What every dataset has lost and not got back, oldest dataset first. Blocking."""
    tables = core.meta.reading
    by_tree: dict[int, RangeSet] = {}
    for lost in tables.damage.every():
        by_tree.setdefault(lost.tree_id, RangeSet()).add(lost.leaf, lost.leaf + 1)
    found = []
    for tree_id, leaves in by_tree.items():
        for cid in tables.catalog.of_tree(tree_id):
            row = tables.catalog.find(cid)
            if row is not None:
                found.append(Wound(dataset_of(row), leaves))
    return found


def _read_run(core: Core, step: Scanned, row: TreeRow, page: LeafPage, first: int) -> int:
    """Read blocks that lie one after the other from a leaf on; the leaf after them."""
    place = page.places[first]
    if not page.has(first) or not place:
        return first + 1
    size, stop = row.block_size, first + 1
    most = min(page.leaf_count, first + max(1, READ_BYTES_MAX // size))
    while stop < most and page.has(stop) and page.places[stop] == place + (stop - first) * size:
        stop += 1
    step.read_bytes += (stop - first) * size
    if not _is_good(core, page, first, stop, size):
        step.suspects += [
            Suspect(page.digest(at), page.places[at], row.id, page.number * PAGE_LEAVES + at)
            for at in range(first, stop)
            if not _is_good(core, page, at, at + 1, size)
        ]
    return stop


def _is_good(core: Core, page: LeafPage, first: int, stop: int, size: int) -> bool:
    place = page.places[first]
    data = core.packs.read(
        place >> OFFSET_BITS, place & OFFSET_MASK, (stop - first) * size, from_medium=True
    )
    digests = b"".join(page.digest(at) for at in range(first, stop))
    return verify_blocks(data, size, digests) < 0
