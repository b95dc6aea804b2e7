"""The geometry of a tree that is stored in pages.

A page holds PAGE_LEAVES leaves and the layers above them up to `page_height`; the layers from there
up to the root are the tree's *upper* part. Layers count from the leaves (0). The upper part begins
with one node per page, the page node.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise

from quire.formats.merkle import EMPTY_TREE_ROOT
from quire.kernels.hashing import merkle_tree

PAGE_HEIGHT_MAX = 10
PAGE_LEAVES = 1 << PAGE_HEIGHT_MAX  # 64 MiB of 64 KiB blocks
DIGEST_BYTES = 32
UNKNOWN = bytes(DIGEST_BYTES)  # no SHA-256 digest is known to be zero
EMPTY_DIGEST = hashlib.sha256(b"").digest()  # padding blocks: always present, never stored


@dataclass(frozen=True, slots=True)
class TreeShape:
    """What follows from the number of leaves alone."""

    leaf_count: int

    @property
    def depth(self) -> int:
        """Layers above the leaves; one leaf still has a parent (content.md 2.1)."""
        return max(1, (self.leaf_count - 1).bit_length())

    @property
    def page_height(self) -> int:
        return min(PAGE_HEIGHT_MAX, self.depth)

    @property
    def page_count(self) -> int:
        return -(-self.leaf_count // PAGE_LEAVES)

    def page_leaves(self, number: int) -> int:
        """How many leaves page `number` has."""
        return min(PAGE_LEAVES, self.leaf_count - number * PAGE_LEAVES)

    def page_layers(self, number: int) -> list[int]:
        """Sizes of the layers of a page, leaves first, page node last."""
        return layer_sizes(self.page_leaves(number), self.page_height)

    def upper_layers(self) -> list[int]:
        """Sizes of the upper layers, page nodes first, root last."""
        return layer_sizes(self.page_count, self.depth - self.page_height)

    def proof_positions(self, start: int, count: int) -> list[tuple[int, int]]:
        """(layer, index) of each node of the proof of leaves [start, start + count), in order."""
        low, high, size = start, start + count - 1, self.leaf_count
        positions = []
        for layer in range(self.depth):
            if low % 2 == 1:
                positions.append((layer, low - 1))
            if high % 2 == 0 and high + 1 < size:
                positions.append((layer, high + 1))
            low, high, size = low // 2, high // 2, (size + 1) // 2
        return positions

    def locate(self, layer: int, index: int) -> tuple[int, int, int]:
        """Where a node is kept: (page, layer, index within the page), or page -1 for the upper
        part, with the layer counted from the page nodes."""
        if layer >= self.page_height:
            return -1, layer - self.page_height, index
        page = index >> (PAGE_HEIGHT_MAX - layer)
        return page, layer, index - (page << (PAGE_HEIGHT_MAX - layer))


def layer_sizes(count: int, height: int) -> list[int]:
    """Sizes of `height` + 1 layers above `count` nodes, halving upwards."""
    sizes = [count]
    for _ in range(height):
        sizes.append((sizes[-1] + 1) // 2)
    return sizes


def compress(left: bytes, right: bytes, key: int) -> bytes:
    """The keyed hash of two nodes; `right` is UNKNOWN (zeros) for a single child, key 2 or 3."""
    return hashlib.sha256(b"%b%b%c" % (left, right, key)).digest()


def page_tree(leaves: bytes, height: int) -> bytes:
    """All layers of a page whose leaves are known, page node last."""
    nodes = merkle_tree(leaves)
    have = max(1, (len(leaves) // DIGEST_BYTES - 1).bit_length())
    for _ in range(height - have):
        nodes += compress(nodes[-DIGEST_BYTES:], UNKNOWN, 2)
    return nodes


def fill(nodes: bytearray, sizes: list[int], bottom_key: int) -> None:
    """Compute every node that is unknown and has known children. `bottom_key` is 1 when the first
    layer is that of the leaves, 0 in the upper part."""
    base, key = 0, bottom_key
    for size, above in pairwise(sizes):
        for index in range(above):
            at = (base + size + index) * DIGEST_BYTES
            if nodes[at : at + DIGEST_BYTES] != UNKNOWN:
                continue
            left_at = (base + 2 * index) * DIGEST_BYTES
            left = bytes(nodes[left_at : left_at + DIGEST_BYTES])
            if left == UNKNOWN:
                continue
            if 2 * index + 1 == size:
                nodes[at : at + DIGEST_BYTES] = compress(left, UNKNOWN, key + 2)
                continue
            right = bytes(nodes[left_at + DIGEST_BYTES : left_at + 2 * DIGEST_BYTES])
            if right != UNKNOWN:
                nodes[at : at + DIGEST_BYTES] = compress(left, right, key)
        base += size
        key = 0


def root_of_pages(page_nodes: list[bytes]) -> bytes:
    """The root above page nodes; a single page node is the root, none are the empty tree."""
    layer = page_nodes or [EMPTY_TREE_ROOT]
    while len(layer) > 1:
        layer = [
            compress(layer[i], layer[i + 1], 0)
            if i + 1 < len(layer)
            else compress(layer[i], UNKNOWN, 2)
            for i in range(0, len(layer), 2)
        ]
    return layer[0]
