"""Parts of a tree that are not wanted any more, while the rest of it stays.

Their digests stay known. Whoever reads them just then finds them missing.
"""

from __future__ import annotations

from collections import Counter

from quire.store.committer import Change
from quire.store.core import Core
from quire.store.growth import Growth
from quire.store.meta import Tables
from quire.store.page import LeafPage
from quire.store.read import check_range
from quire.store.shape import PAGE_LEAVES
from quire.store.treecache import TreeEntry

SHED_LEAVES_MAX = 2 * PAGE_LEAVES  # by one transaction


async def shed(
    core: Core, root: bytes, start: int, count: int, *, spares_held: bool = False
) -> int:
    """Give up blocks [start, start + count) of a tree; how many of them were here. Padding stays.

    spares_held  not while somebody reads or fetches the tree

    Raises InputError when the range is not one of the tree."""
    entry = core.trees.entry(root)
    if entry is None:
        return 0
    check_range(entry, start, count)
    at, stop, shed_count = start, start + count, 0
    while at < stop:
        upto = min(stop, at - at % PAGE_LEAVES + SHED_LEAVES_MAX)
        change = _shed_change(core, entry, at, upto, spares_held)
        shed_count += await core.committer.run(change)
        at = upto
    return shed_count


def _shed_change(
    core: Core, entry: TreeEntry, start: int, stop: int, spares_held: bool
) -> Change[int]:
    lost: list[int] = []

    def apply(tables: Tables) -> int:
        lost.clear()
        if spares_held and entry.id in core.holds.tree_ids():
            return 0
        growth = Growth.of(tables, entry.id, entry.root)
        if growth is None:
            return 0
        for number in range(start // PAGE_LEAVES, -(-stop // PAGE_LEAVES)):
            page, base = growth.page(tables, number), number * PAGE_LEAVES
            low, high = max(start - base, 0), min(stop - base, page.leaf_count)
            lost.extend(base + at for at in _release(core, tables, page, low, high, entry))
        for leaf in lost:
            growth.lost.add(leaf, leaf + 1)
        growth.save(tables)
        tables.damage.remove((entry.id, leaf) for leaf in range(start, stop))
        return len(lost)

    def done(_: int) -> None:
        core.pins.spare()
        for leaf in lost:
            core.trees.lose(entry.id, entry.root, leaf)

    return Change(
        apply,
        weight=stop - start,
        frees_space=True,
        done=done,
        failed=lambda _: core.pins.spare(),
    )


def _release(
    core: Core, tables: Tables, page: LeafPage, low: int, high: int, entry: TreeEntry
) -> list[int]:
    """Take the blocks of leaves [low, high) of a page away; those that were here."""
    here = [at for at in range(low, high) if page.is_stored(at)]
    counts: Counter[bytes] = Counter(page.digest(at) for at in here)
    places = {page.digest(at): page.places[at] for at in here}
    pinned = core.pins.condemn(counts)
    tables.blocks.release(
        {digest: (places[digest], n) for digest, n in counts.items()}, entry.block_size, pinned
    )
    for at in here:
        page.unmark(at)
    return here
