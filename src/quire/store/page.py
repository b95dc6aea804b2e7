"""One page of a tree: which leaves it has, which of them are here, and where.

A place is a block's position on the disk in one number: pack << 32 | offset. Place 0 is nowhere
(packs count from 1), which is also the place of padding. Padding whose digest is not known is only
claimed (padding.py).
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass

from quire.base.invariant import invariant
from quire.base.ranges import RangeSet
from quire.store.shape import DIGEST_BYTES, EMPTY_DIGEST, UNKNOWN, TreeShape, fill, page_tree

PLACE_BYTES = 8


def places_to_bytes(places: array[int]) -> bytes:
    if sys.byteorder == "big":
        places = array("Q", places)
        places.byteswap()
    return places.tobytes()


def places_from_bytes(data: bytes) -> array[int]:
    places = array("Q")
    places.frombytes(data)
    if sys.byteorder == "big":
        places.byteswap()
    return places


@dataclass(slots=True)
class LeafPage:
    """A page in memory. Shared between readers: changed only by the writer that loaded it.

    Shapes  nodes: digests of all leaves, joined, when all are known; else all layers of the page,
            zeros where unknown. present: one byte per leaf, or None when all are present.
    """

    tree_id: int
    number: int
    leaf_count: int
    height: int
    nodes: bytearray
    present: bytearray | None
    places: array[int]

    @classmethod
    def blank(cls, tree_id: int, number: int, shape: TreeShape) -> LeafPage:
        """A page of which nothing is known."""
        count = shape.page_leaves(number)
        nodes = bytearray(sum(shape.page_layers(number)) * DIGEST_BYTES)
        empty = array("Q", bytes(PLACE_BYTES * count))
        return cls(tree_id, number, count, shape.page_height, nodes, bytearray(count), empty)

    @property
    def digests(self) -> memoryview:
        """Digests of the leaves, zeros where unknown."""
        return memoryview(self.nodes)[: self.leaf_count * DIGEST_BYTES]

    @property
    def knows_all_leaves(self) -> bool:
        return len(self.nodes) == self.leaf_count * DIGEST_BYTES

    @property
    def cost_bytes(self) -> int:
        return len(self.nodes) + len(self.places) * PLACE_BYTES + self.leaf_count + 512

    def digest(self, index: int) -> bytes:
        return bytes(self.nodes[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES])

    def has(self, index: int) -> bool:
        return self.present is None or self.present[index] != 0

    def is_padding(self, index: int) -> bool:
        """The leaf is here without a block: zeros stand for it."""
        return self.has(index) and not self.places[index]

    def is_claimed(self, index: int) -> bool:
        """The leaf is taken for padding, and nobody has proved it."""
        return self.is_padding(index) and self.digest(index) == UNKNOWN

    def is_stored(self, index: int) -> bool:
        """The leaf is here, and its block is on the disk, or should be."""
        return self.has(index) and self.digest(index) != EMPTY_DIGEST and not self.is_claimed(index)

    def missing(self, start: int, stop: int) -> list[int]:
        """Leaves of [start, stop), counted within the page, that are not here."""
        if self.present is None or 0 not in self.present[start:stop]:
            return []
        return [i for i in range(start, stop) if not self.present[i]]

    def unknown(self, start: int, stop: int) -> list[int]:
        """Leaves of [start, stop), counted within the page, whose digest is not known."""
        if self.knows_all_leaves:
            return []
        return [i for i in range(start, stop) if self.digest(i) == UNKNOWN]

    def digests_with(self, digest: bytes) -> bytes:
        """Digests of the leaves, this one where unknown."""
        leaves = bytearray(self.digests)
        for index in self.unknown(0, self.leaf_count):
            leaves[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES] = digest
        return bytes(leaves)

    def present_count(self) -> int:
        return self.leaf_count if self.present is None else sum(self.present)

    def mark(self, index: int, place: int) -> None:
        """The leaf is here, at this place. Its digest must be known, or it is claimed padding."""
        invariant(not place or self.digest(index) != UNKNOWN, "a block is here without a digest")
        invariant(self.present is not None, "the page is complete already")
        if self.present is not None:
            self.present[index] = 1
        self.places[index] = place

    def unmark(self, index: int) -> None:
        """The leaf is not here any more; its digest stays known, if it was."""
        if self.present is None:
            self.present = bytearray(b"\x01") * self.leaf_count
        self.present[index] = 0
        self.places[index] = 0

    def settle(self) -> bytes | None:
        """Drop what follows from the rest; the page node when all leaves are known."""
        if self.present is not None and 0 not in self.present:
            self.present = None
        if self.knows_all_leaves:
            return page_tree(bytes(self.nodes), self.height)[-DIGEST_BYTES:]
        leaves = bytes(self.digests)
        if any(
            leaves[i : i + DIGEST_BYTES] == UNKNOWN for i in range(0, len(leaves), DIGEST_BYTES)
        ):
            return None
        self.nodes = bytearray(leaves)
        return page_tree(leaves, self.height)[-DIGEST_BYTES:]

    def layers(self) -> bytes:
        """All layers of the page, everything computed that follows from what is known."""
        if self.knows_all_leaves:
            return page_tree(bytes(self.nodes), self.height)
        sizes = [self.leaf_count]
        for _ in range(self.height):
            sizes.append((sizes[-1] + 1) // 2)
        nodes = bytearray(self.nodes)
        fill(nodes, sizes, 1)
        return bytes(nodes)

    def add_present_to(self, ranges: RangeSet, first_leaf: int) -> None:
        """Add the present leaves, counted in the tree, to a set."""
        if self.present is None:
            ranges.add(first_leaf, first_leaf + self.leaf_count)
            return
        at = self.present.find(1)
        while at >= 0:
            stop = self.present.find(0, at)
            stop = self.leaf_count if stop < 0 else stop
            ranges.add(first_leaf + at, first_leaf + stop)
            at = self.present.find(1, stop)

    def add_padding_to(self, ranges: RangeSet, first_leaf: int) -> None:
        """Add the leaves that are here without a block, counted in the tree, to a set."""
        if 0 not in self.places:
            return
        for index in range(self.leaf_count):
            if self.is_padding(index):
                ranges.add(first_leaf + index, first_leaf + index + 1)
