"""Does everything agree? Counts the index afresh and, on request, reads every block.

Reads the index while nothing else runs, or may report differences that are only passing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from quire.kernels.hashing import verify_blocks
from quire.store.core import Core
from quire.store.extents import OFFSET_BITS, OFFSET_MASK
from quire.store.meta import Tables
from quire.store.packs import pack_name, pack_number
from quire.store.shape import root_of_pages
from quire.store.trees import TreeRow


@dataclass(slots=True)
class Report:
    """What `verify` found. `problems` is empty when all is well."""

    datasets: int = 0
    blocks: int = 0
    block_bytes: int = 0
    allocated_bytes: int = 0  # of the pack files, as the disk says
    problems: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.problems


def audit(core: Core, tables: Tables, *, read_blocks: bool) -> Report:
    """Blocking; time grows with the index, and with all data when blocks are read."""
    report = Report(datasets=len(tables.catalog.every()))
    rows = {digest: (place, length, refs) for digest, place, length, refs in tables.blocks.every()}
    report.blocks, report.block_bytes = len(rows), sum(row[1] for row in rows.values())
    counts = tables.catalog.counts()
    if (counts.blocks, counts.block_bytes) != (report.blocks, report.block_bytes):
        report.problems.append(
            f"the counters say {counts.blocks} blocks of {counts.block_bytes} bytes, the index "
            f"holds {report.blocks} of {report.block_bytes}"
        )
    manifests = [len(row.manifest) for row in tables.catalog.every()]
    if (counts.manifests, counts.manifest_bytes) != (len(manifests), sum(manifests)):
        report.problems.append("the counters of manifests differ from the datasets")
    late = tables.catalog.unsettled()
    if late:
        report.problems.append(f"{late} datasets have a wrong note of how long they are kept")
    _check_trees(tables, report, rows)
    _check_packs(core, tables, report, rows)
    if read_blocks:
        _check_blocks(core, report, rows)
    return report


def _check_trees(tables: Tables, report: Report, rows: dict[bytes, tuple[int, int, int]]) -> None:
    found: Counter[bytes] = Counter()
    trees = tables.trees
    for row in trees.every():
        present = 0
        for page in trees.present_pages(row.id):
            present += page.present_count()
            for index in range(page.leaf_count):
                digest = page.digest(index)
                if not page.is_stored(index):
                    continue
                found[digest] += 1
                if digest not in rows or rows[digest][0] != page.places[index]:
                    report.problems.append(f"tree {row.id} has a leaf whose block is elsewhere")
        if row.root is not None and row.present_count != present:
            report.problems.append(
                f"tree {row.id} says {row.present_count} leaves are present, it has {present}"
            )
        _check_root(tables, report, row)
    for digest, (_, _, refs) in rows.items():
        if refs != found[digest]:
            report.problems.append(
                f"block {digest.hex()} says it has {refs} leaves, it has {found[digest]}"
            )


def _check_root(tables: Tables, report: Report, row: TreeRow) -> None:
    if row.root is None:
        return
    nodes = tables.trees.page_nodes(row.id)
    if len(nodes) == row.shape.page_count:
        root = root_of_pages([nodes[number] for number in range(len(nodes))])
        if root != row.root:
            report.problems.append(f"the pages of tree {row.id} do not lead to its root")
    elif row.is_complete:
        report.problems.append(f"tree {row.id} is complete and lacks pages")


def _check_packs(
    core: Core, tables: Tables, report: Report, rows: dict[bytes, tuple[int, int, int]]
) -> None:
    live: Counter[int] = Counter()
    for place, length, _ in rows.values():
        live[place >> OFFSET_BITS] += length
    packs = {row.id: row for row in tables.extents.packs()}
    for number, row in packs.items():
        if row.live != live[number]:
            report.problems.append(f"pack {number} says {row.live} live bytes, has {live[number]}")
    names = core.disk.names()
    for name in names:
        if pack_number(name) is not None:
            report.allocated_bytes += core.disk.allocated(name)
    for pack in live:
        if pack_name(pack) not in names or pack not in packs:
            report.problems.append(f"{pack_name(pack)} is missing and has blocks")


def _check_blocks(core: Core, report: Report, rows: dict[bytes, tuple[int, int, int]]) -> None:
    for digest, (place, length, _) in rows.items():
        data = core.packs.read(place >> OFFSET_BITS, place & OFFSET_MASK, length)
        if verify_blocks(data, length, digest) >= 0:
            report.problems.append(f"block {digest.hex()} does not match its digest")
