"""A tree to which a transaction adds leaves, digests or proof nodes."""

from __future__ import annotations

from dataclasses import dataclass, field

from quire.base.ranges import RangeSet
from quire.store.meta import Tables
from quire.store.page import LeafPage
from quire.store.shape import DIGEST_BYTES
from quire.store.trees import VISIBLE, TreeRow


@dataclass(slots=True)
class Growth:
    """A tree with the pages that change in this transaction.

    nodes   the upper layers, zeros where unknown
    gained  leaves that become present  ·  lost  leaves that are not present any more
    """

    row: TreeRow
    nodes: bytearray
    pages: dict[int, LeafPage] = field(default_factory=dict)
    gained: RangeSet = field(default_factory=RangeSet)
    lost: RangeSet = field(default_factory=RangeSet)

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

    def save(self, tables: Tables) -> int:
        """Write what has changed; how many leaves are present now."""
        row = self.row
        for page in self.pages.values():
            tables.trees.save_page(page, page.settle())
        present_count = row.present_count + self.gained.count() - self.lost.count()
        nodes = None if present_count == row.leaf_count else bytes(self.nodes)
        tables.trees.set_progress(row.id, present_count, nodes)
        return present_count
