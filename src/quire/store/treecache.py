"""Trees, their pages and their proof layers, remembered within bounds."""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.ranges import RangeSet
from quire.base.units import MIB
from quire.store.lru import Lru
from quire.store.meta import Meta
from quire.store.page import LeafPage
from quire.store.shape import DIGEST_BYTES, PAGE_LEAVES, UNKNOWN, TreeShape, fill
from quire.store.trees import TreeRow, TreeTable

ENTRIES_COST_MAX = 16_384
PAGES_BYTES_MAX = 1 * MIB  # about 25 pages, 1.5 GiB of data: who reads in order needs one or two
LAYERS_BYTES_MAX = 1 * MIB
_UPPER = -1


@dataclass(slots=True)
class TreeEntry:
    """A visible tree. `present` and `padding`, those of it that are here without a block, belong to
    the loop's thread; `padding` is empty for a complete tree."""

    id: int
    root: bytes
    leaf_count: int
    block_size: int
    present: RangeSet
    padding: RangeSet

    @property
    def is_complete(self) -> bool:
        return self.present.covers(0, self.leaf_count)

    def stores(self, start: int, stop: int) -> bool:
        """Whether the blocks of all these leaves are here."""
        return self.present.covers(start, stop) and not self.padding.within(start, stop)

    @property
    def shape(self) -> TreeShape:
        return TreeShape(self.leaf_count)


class TreeCache:
    """Reads through to the index. Entries only on the loop's thread, the rest from any."""

    def __init__(self, meta: Meta) -> None:
        self._trees = meta.reading.trees
        self._peek = meta.peeking.trees
        self._entries: Lru[bytes, TreeEntry] = Lru(ENTRIES_COST_MAX, lambda e: 1 + len(e.present))
        self._pages: Lru[tuple[int, int], LeafPage] = Lru(PAGES_BYTES_MAX, lambda p: p.cost_bytes)
        self._layers: Lru[tuple[int, int], bytes] = Lru(LAYERS_BYTES_MAX, lambda b: len(b) + 128)

    def entry(self, root: bytes) -> TreeEntry | None:
        """The tree with this root; a short read of the index when it is not remembered."""
        entry = self._entries.get(root)
        if entry is None:
            epoch = self._entries.epoch
            row = self._peek.by_root(root)
            if row is not None:
                entry = _entry(self._peek, row, root)
                self._entries.put(root, entry, epoch)
        return entry

    def warm(self) -> None:
        """Remember the partial trees, whose pages take long to read. Blocking; for the start."""
        for root in self._trees.partial_roots():
            row = self._trees.by_root(root)
            if row is not None:
                self._entries.put(root, _entry(self._trees, row, root), self._entries.epoch)

    def page(self, entry: TreeEntry, number: int) -> LeafPage | None:
        """A page, not to be changed; None when nothing of it is known."""
        key = (entry.id, number)
        page = self._pages.get(key)
        if page is None:
            epoch = self._pages.epoch
            page = self._trees.load_page(entry.id, number, entry.shape)
            if page is not None:
                self._pages.put(key, page, epoch)
        return page

    def layers(self, entry: TreeEntry, number: int) -> bytes:
        """All layers of a page, zeros where unknown; empty when nothing of it is known."""
        key = (entry.id, number)
        layers = self._layers.get(key)
        if layers is None:
            epoch = self._layers.epoch
            page = self.page(entry, number)
            layers = b"" if page is None else page.layers()
            self._layers.put(key, layers, epoch)
        return layers

    def upper(self, entry: TreeEntry) -> bytes:
        """The upper layers of a tree, zeros where unknown."""
        key = (entry.id, _UPPER)
        upper = self._layers.get(key)
        if upper is None:
            epoch = self._layers.epoch
            sizes = entry.shape.upper_layers()
            row = self._trees.by_id(entry.id)
            nodes = bytearray(sum(sizes) * DIGEST_BYTES)
            if row is not None and row.nodes is not None:
                nodes[:] = row.nodes
            for number, node in self._trees.page_nodes(entry.id).items():
                nodes[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES] = node
            nodes[-DIGEST_BYTES:] = entry.root
            fill(nodes, sizes, 0)
            upper = bytes(nodes)
            self._layers.put(key, upper, epoch)
        return upper

    def node(self, entry: TreeEntry, layer: int, index: int) -> bytes:
        """One node of the tree; UNKNOWN when it is not known."""
        page, inner, at = entry.shape.locate(layer, index)
        if page < 0:
            nodes, sizes = self.upper(entry), entry.shape.upper_layers()
        else:
            nodes, sizes = self.layers(entry, page), entry.shape.page_layers(page)
        if not nodes:
            return UNKNOWN
        at = (sum(sizes[:inner]) + at) * DIGEST_BYTES
        return nodes[at : at + DIGEST_BYTES]

    def gain(self, root: bytes, tree_id: int, ranges: list[tuple[int, int]]) -> None:
        """Leaves [start, stop) of a tree have become present."""
        entry = self._entries.get(root)
        if entry is not None and entry.id == tree_id:
            for start, stop in ranges:
                entry.present.add(start, stop)
        first_last = [(start // PAGE_LEAVES, (stop - 1) // PAGE_LEAVES) for start, stop in ranges]
        self.forget_pages(
            tree_id, [number for low, high in first_last for number in range(low, high + 1)]
        )

    def lose(self, tree_id: int, root: bytes | None, leaf: int) -> None:
        """A leaf of a tree is not present any more."""
        entry = None if root is None else self._entries.get(root)
        if entry is not None and entry.id == tree_id:
            entry.present.remove(leaf, leaf + 1)
        self.forget_pages(tree_id, [leaf // PAGE_LEAVES])

    def forget_pages(self, tree_id: int, numbers: list[int]) -> None:
        """These pages have changed, and with them perhaps the upper layers."""
        changed = {(tree_id, number) for number in numbers}
        self._pages.forget(lambda key: key in changed)
        changed.add((tree_id, _UPPER))
        self._layers.forget(lambda key: key in changed)

    def forget(self, tree_id: int, root: bytes) -> None:
        """The tree has changed as a whole, or is gone."""
        self._entries.forget(lambda key: key == root)
        self.forget_all_pages(tree_id)

    def forget_all_pages(self, tree_id: int) -> None:
        """The pages of the tree are gone."""
        self._pages.forget(lambda key: key[0] == tree_id)
        self._layers.forget(lambda key: key[0] == tree_id)


def _entry(trees: TreeTable, row: TreeRow, root: bytes) -> TreeEntry:
    present, padding = RangeSet(), RangeSet()
    if row.is_complete:
        present.add(0, row.leaf_count)
    else:
        for page in trees.present_pages(row.id):
            page.add_present_to(present, page.number * PAGE_LEAVES)
            page.add_padding_to(padding, page.number * PAGE_LEAVES)
    return TreeEntry(row.id, root, row.leaf_count, row.block_size, present, padding)
