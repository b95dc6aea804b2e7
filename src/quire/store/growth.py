"""A tree to which a transaction adds leaves, digests or proof nodes.

With every digest that is learned, padding (padding.py) is judged anew: a leaf whose digest is that
of no bytes is here, and a leaf that was taken for padding and has another digest is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from quire.base.ranges import RangeSet
from quire.store.changes import dataset_of
from quire.store.dataset import Dataset
from quire.store.meta import Tables
from quire.store.page import LeafPage
from quire.store.shape import (
    DIGEST_BYTES,
    EMPTY_DIGEST,
    PAGE_LEAVES,
    UNKNOWN,
    page_tree,
    root_of_pages,
)
from quire.store.trees import VISIBLE, TreeRow


@dataclass(slots=True)
class Growth:
    """A tree with the pages that change in this transaction.

    nodes   the upper layers, zeros where unknown
    gained  leaves that become present  ·  lost  leaves that are not present any more; a leaf may be
            both: padding that turned out to be a block
    has_other_padding  whether other leaves count as padding than before
    """

    row: TreeRow
    nodes: bytearray
    pages: dict[int, LeafPage] = field(default_factory=dict)
    gained: RangeSet = field(default_factory=RangeSet)
    lost: RangeSet = field(default_factory=RangeSet)
    has_other_padding: bool = False

    @classmethod
    def of(cls, tables: Tables, tree_id: int, root: bytes) -> Growth | None:
        """The tree as it is; None when its last dataset was deleted meanwhile."""
        row = tables.trees.by_id(tree_id)
        if row is None or row.state != VISIBLE or row.root != root:
            return None
        size = sum(row.shape.upper_layers()) * DIGEST_BYTES
        return cls(row, bytearray(size) if row.nodes is None else bytearray(row.nodes))

    def page(self, tables: Tables, number: int) -> LeafPage:
        """A page to be changed."""
        page = self.pages.get(number)
        if page is None:
            shape = self.row.shape
            page = tables.trees.load_page(self.row.id, number, shape)
            page = page or LeafPage.blank(self.row.id, number, shape)
            self.pages[number] = page
        return page

    def keep_proof(self, tables: Tables, start: int, leaf_count: int, proof: bytes) -> None:
        """Remember the nodes of a proof, so that the leaves can be proved again."""
        shape = self.row.shape
        for order, (layer, index) in enumerate(shape.proof_positions(start, leaf_count)):
            node = proof[order * DIGEST_BYTES : (order + 1) * DIGEST_BYTES]
            number, inner, at = shape.locate(layer, index)
            if number < 0:
                nodes, sizes = self.nodes, shape.upper_layers()
            else:
                page = self.page(tables, number)
                if page.knows_all_leaves:
                    continue
                nodes, sizes = page.nodes, shape.page_layers(number)
            at = (sum(sizes[:inner]) + at) * DIGEST_BYTES
            nodes[at : at + DIGEST_BYTES] = node

    def claim(self, page: LeafPage, index: int) -> None:
        """The leaf counts as padding from now on."""
        if not page.has(index):
            page.mark(index, 0)
            self.gained.add(*_one(page, index))
            self.has_other_padding = True

    def retract(self, page: LeafPage, index: int) -> None:
        """The leaf counts as padding no more."""
        page.unmark(index)
        self.lost.add(*_one(page, index))
        self.has_other_padding = True

    @property
    def present_count(self) -> int:
        return self.row.present_count + self.gained.count() - self.lost.count()

    def save(self, tables: Tables) -> None:
        """Write what has changed."""
        for page in self.pages.values():
            self._judge(page)
            tables.trees.save_page(page, page.settle())
        if self.present_count == self.row.leaf_count:
            self._prove_claims(tables)
        is_complete = self.present_count == self.row.leaf_count
        nodes = None if is_complete else bytes(self.nodes)
        tables.trees.set_progress(self.row.id, self.present_count, nodes)

    def completed(self, tables: Tables) -> list[Dataset]:
        """The datasets of a tree that was saved, if it has become complete."""
        if self.row.is_complete or self.present_count < self.row.leaf_count:
            return []
        found = [tables.catalog.find(cid) for cid in tables.catalog.of_tree(self.row.id)]
        return [dataset_of(each) for each in found if each is not None]

    def _judge(self, page: LeafPage) -> None:
        """Let padding follow from the digests that are known."""
        if 0 not in page.places:
            return
        for index, place in enumerate(page.places):
            digest = UNKNOWN if place else page.digest(index)
            if digest == EMPTY_DIGEST:
                self.claim(page, index)
            elif digest != UNKNOWN and page.has(index):
                self.retract(page, index)

    def _prove_claims(self, tables: Tables) -> None:
        """All leaves are here: the root shows whether what is claimed to be padding is. If it is
        not, no claim is believed."""
        nodes = tables.trees.page_nodes(self.row.id)
        unproved: list[tuple[LeafPage, bytes]] = []
        for number in range(self.row.shape.page_count):
            if number not in nodes:
                page = self.page(tables, number)
                leaves = page.digests_with(EMPTY_DIGEST)
                unproved.append((page, leaves))
                nodes[number] = page_tree(leaves, page.height)[-DIGEST_BYTES:]
        if not unproved:
            return
        is_true = root_of_pages([nodes[at] for at in range(len(nodes))]) == self.row.root
        for page, leaves in unproved:
            if is_true:
                page.nodes = bytearray(leaves)
            else:
                for index in page.unknown(0, page.leaf_count):
                    self.retract(page, index)
            tables.trees.save_page(page, page.settle())


def _one(page: LeafPage, index: int) -> tuple[int, int]:
    leaf = page.number * PAGE_LEAVES + index
    return leaf, leaf + 1
