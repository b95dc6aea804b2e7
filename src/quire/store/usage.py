"""Where the bytes are, and what a collection would give back. Reads the index; changes nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from quire.store.changes import dataset_of
from quire.store.core import Core
from quire.store.dataset import KINDS, Dataset
from quire.store.packs import pack_number
from quire.store.trees import CONDEMNED, STAGING, VISIBLE

NOTHING = "nothing"  # kind of what is kept by no root
EXACT_LEAVES_MAX = 4_000_000  # above, what a collection gives back is only bounded


@dataclass(frozen=True, slots=True)
class Share:
    """What is kept for one kind of reason. A dataset counts for its strongest root; blocks that
    two datasets share count for both."""

    kind: str
    datasets: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Where the bytes of the store are."""

    shares: tuple[Share, ...]  # strongest kind first
    shared_bytes: int  # counted more than once in `shares`
    unfinished_bytes: int  # of uploads under way, in the index
    deleted_bytes: int  # of deleted datasets, not given back yet
    freed_bytes: int  # given back as soon as the disk is asked
    pack_bytes: int  # that the files of blocks occupy on the disk
    free_bytes: int  # left on the disk


@dataclass(slots=True)
class Doomed:
    """What nothing keeps. `freed_bytes` counts blocks that no other dataset shares."""

    datasets: list[Dataset] = field(default_factory=list)
    held: list[Dataset] = field(default_factory=list)  # being read or fetched: they go later
    freed_bytes: int = 0
    is_exact: bool = True  # False: at most so many


def usage(core: Core) -> Usage:
    """Blocking; time grows with the number of datasets and trees."""
    tables = core.meta.reading
    now = core.clock.now()
    trees = {row.id: row for row in tables.trees.every()}
    kinds: dict[int, str] = {}
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    order = (*KINDS, NOTHING)
    for row in tables.catalog.every():
        lasting = {r.kind for r in row.roots if r.expires_at is None or r.expires_at > now}
        kind = next((kind for kind in KINDS if kind in lasting), NOTHING)
        counts[kind] += 1
        sizes[kind] += len(row.manifest)
        known = kinds.get(row.tree_id, NOTHING)
        kinds[row.tree_id] = min(kind, known, key=order.index)
    for tree_id, kind in kinds.items():
        sizes[kind] += trees[tree_id].present_count * trees[tree_id].block_size
    loose = {STAGING: 0, CONDEMNED: 0}
    for tree in trees.values():
        if tree.state != VISIBLE:
            loose[tree.state] += tables.trees.kept_leaves(tree.id) * tree.block_size
    total = sum(sizes.values()) + sum(loose.values())
    return Usage(
        shares=tuple(Share(kind, counts[kind], sizes[kind]) for kind in order if counts[kind]),
        shared_bytes=max(0, total - tables.catalog.counts().used_bytes),
        unfinished_bytes=loose[STAGING],
        deleted_bytes=loose[CONDEMNED],
        freed_bytes=tables.extents.freed_bytes(),
        pack_bytes=sum(
            core.disk.allocated(name) for name in core.disk.names() if pack_number(name) is not None
        ),
        free_bytes=core.disk.free_bytes(),
    )


def doomed(core: Core, datasets_max: int) -> Doomed:
    """What a collection would delete now, the first `datasets_max` of it. Blocking."""
    tables = core.meta.reading
    found = Doomed()
    held = core.holds.roots()
    trees: Counter[int] = Counter()
    for due in tables.catalog.due(core.clock.now(), (-1.0, 0), datasets_max):
        row = tables.catalog.find(due.cid)
        if row is None:
            continue
        dataset = dataset_of(row)
        if dataset.tree_root in held:
            found.held.append(dataset)
            continue
        found.datasets.append(dataset)
        found.freed_bytes += len(row.manifest)
        trees[row.tree_id] += 1
    gone = [tree for tree, count in trees.items() if len(tables.catalog.of_tree(tree)) == count]
    _count_blocks(core, found, gone)
    return found


def _count_blocks(core: Core, found: Doomed, trees: list[int]) -> None:
    tables = core.meta.reading
    leaves: Counter[bytes] = Counter()
    for tree_id in trees:
        row = tables.trees.by_id(tree_id)
        if row is None:
            continue
        if leaves.total() + row.present_count > EXACT_LEAVES_MAX:
            found.is_exact = False
            found.freed_bytes += row.present_count * row.block_size
            continue
        for page in tables.trees.present_pages(tree_id):
            leaves.update(page.digest(i) for i in range(page.leaf_count) if page.is_stored(i))
    found.freed_bytes += tables.blocks.released_bytes(leaves)
