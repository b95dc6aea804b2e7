"""Runs of leaves that enter a tree together: each page is loaded once and saved once."""

from __future__ import annotations

from array import array

from quire.base.invariant import invariant
from quire.store.meta import Tables
from quire.store.page import LeafPage
from quire.store.shape import DIGEST_BYTES, PAGE_LEAVES, TreeShape


class Marks:
    """Within a transaction. Ends with `save`."""

    def __init__(self, tables: Tables, tree_id: int, leaf_count: int) -> None:
        self._tables = tables
        self._tree_id = tree_id
        self._shape = TreeShape(leaf_count)
        self._pages: dict[int, LeafPage] = {}

    def add(self, start: int, digests: bytes, places: array[int]) -> None:
        """Leaves from `start` on are here: their digests, and where their blocks are."""
        invariant(len(digests) == len(places) * DIGEST_BYTES, "one place for each digest")
        at, stop = start, start + len(places)
        while at < stop:
            number = at // PAGE_LEAVES
            upto = min(stop, (number + 1) * PAGE_LEAVES)
            low, count = at - number * PAGE_LEAVES, upto - at
            page = self._page(number)
            first = at - start
            page.nodes[low * DIGEST_BYTES : (low + count) * DIGEST_BYTES] = digests[
                first * DIGEST_BYTES : (first + count) * DIGEST_BYTES
            ]
            page.places[low : low + count] = places[first : first + count]
            if page.present is not None:
                page.present[low : low + count] = b"\x01" * count
            at = upto

    def save(self) -> None:
        for page in self._pages.values():
            self._tables.trees.save_page(page, page.settle())

    def _page(self, number: int) -> LeafPage:
        page = self._pages.get(number)
        if page is None:
            page = self._tables.trees.load_page(self._tree_id, number, self._shape)
            page = page or LeafPage.blank(self._tree_id, number, self._shape)
            self._pages[number] = page
        return page
