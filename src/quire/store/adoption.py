"""The blocks of a dataset become leaves of its protected tree too."""

from __future__ import annotations

from array import array
from collections import Counter

from quire.base.errors import BlockMissing
from quire.dataset.geometry import Geometry
from quire.store.columns import cut
from quire.store.core import Core
from quire.store.marks import Marks
from quire.store.meta import Tables
from quire.store.shape import EMPTY_DIGEST, PAGE_LEAVES
from quire.store.trees import TreeRow


def adopt(
    tables: Tables, tree_id: int, geometry: Geometry, source: TreeRow, start: int, stop: int
) -> None:
    """Within a transaction: leaves [start, stop) of `source`, whole pages of it, become leaves of
    the tree; with the last of them the pads.

    Raises BlockMissing unless all of them are here."""
    marks = Marks(tables, tree_id, geometry.total)
    for at in range(start, stop, PAGE_LEAVES):
        digests = _leaves(tables, source, at)
        counts = Counter(cut(digests))
        wanted = {digest: (0, count) for digest, count in counts.items()}
        places = tables.blocks.add(wanted, source.block_size)
        marks.add(at, digests, array("Q", (places[digest] for digest in cut(digests))))
    if stop == geometry.original_blocks:
        pads = geometry.rounded - stop
        marks.add(stop, EMPTY_DIGEST * pads, array("Q", bytes(8 * pads)))
    marks.save()


def source_tree(core: Core, tables: Tables, root: bytes) -> TreeRow:
    """The tree of the dataset that is being protected. Raises BlockMissing."""
    row = tables.trees.by_root(root)
    if row is None:
        held = core.holds.entry(root)  # deleted while it was being protected
        row = None if held is None else tables.trees.by_id(held.id)
    if row is None:
        raise BlockMissing("the dataset that was being protected was deleted")
    return row


def _leaves(tables: Tables, source: TreeRow, start: int) -> bytes:
    """Digests of the leaves of one page, all of them here. Raises BlockMissing."""
    page = tables.trees.load_page(source.id, start // PAGE_LEAVES, source.shape)
    missing = [0] if page is None else page.missing(0, page.leaf_count)
    if page is None or missing:
        raise BlockMissing(
            f"{len(missing)} blocks of the dataset are not here any more",
            missing=[start + index for index in missing],
        )
    return bytes(page.digests)
