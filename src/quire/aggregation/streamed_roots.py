"""Roots of the two kinds of trees over leaves that come in pieces, in little memory.

    leaves ──► pages of 1 024 ──► page nodes (32 bytes a page) ──► root
Source   content.md 2.1, proofs.md 3.6
"""

from __future__ import annotations

from quire.base.errors import InputError
from quire.dataset.slot_tree import slot_leaf_count
from quire.kernels import poseidon2
from quire.store.shape import DIGEST_BYTES, PAGE_LEAVES, TreeShape, fill, page_tree

PAGE_BYTES = PAGE_LEAVES * DIGEST_BYTES


class StreamedTree:
    """The SHA-256 tree of a dataset."""

    def __init__(self, leaf_count: int) -> None:
        self._shape = TreeShape(leaf_count)
        self._pending = bytearray()
        self._nodes = bytearray()

    def feed(self, leaves: bytes) -> None:
        """More leaves, whole ones. Blocking."""
        self._pending += leaves
        whole = len(self._pending) - len(self._pending) % PAGE_BYTES
        for at in range(0, whole, PAGE_BYTES):
            self._close_page(bytes(self._pending[at : at + PAGE_BYTES]))
        del self._pending[:whole]

    def root(self) -> bytes:
        """When all leaves were fed. Raises InputError."""
        shape = self._shape
        have = len(self._nodes) // DIGEST_BYTES * PAGE_LEAVES + len(self._pending) // DIGEST_BYTES
        if have != shape.leaf_count:
            raise InputError(f"a tree of {shape.leaf_count} leaves has no root with {have} of them")
        if self._pending:
            self._close_page(bytes(self._pending))
            self._pending.clear()
        sizes = shape.upper_layers()
        nodes = self._nodes + bytes((sum(sizes) - sizes[0]) * DIGEST_BYTES)
        fill(nodes, sizes, 0)
        return bytes(nodes[-DIGEST_BYTES:])

    def _close_page(self, leaves: bytes) -> None:
        self._nodes += page_tree(leaves, self._shape.page_height)[-DIGEST_BYTES:]


class StreamedSlot:
    """The Poseidon2 tree of one slot, padded to a power of two with digests of zero blocks."""

    def __init__(self, steps: int, zero_digest: bytes) -> None:
        self._leaf_count = slot_leaf_count(steps)
        self._zero_digest = zero_digest
        self._pending = bytearray()
        self._nodes: list[bytes] = []

    def feed(self, digests: bytes) -> None:
        """More digests of blocks. Blocking. Raises BadEncoding for what is no felt."""
        self._pending += digests
        if self._leaf_count <= PAGE_LEAVES:
            return
        whole = len(self._pending) - len(self._pending) % PAGE_BYTES
        for at in range(0, whole, PAGE_BYTES):
            self._nodes.append(poseidon2.root(bytes(self._pending[at : at + PAGE_BYTES])))
        del self._pending[:whole]

    def root(self) -> bytes:
        """What lacks are pads. Raises BadEncoding."""
        if self._leaf_count <= PAGE_LEAVES:
            lacking = self._leaf_count - len(self._pending) // DIGEST_BYTES
            return poseidon2.root(bytes(self._pending) + self._zero_digest * lacking)
        if self._pending:
            lacking = PAGE_LEAVES - len(self._pending) // DIGEST_BYTES
            self._nodes.append(poseidon2.root(self._pending + self._zero_digest * lacking))
            self._pending.clear()
        layer = self._nodes
        pad = poseidon2.root(self._zero_digest * PAGE_LEAVES)
        size = self._leaf_count // PAGE_LEAVES
        while size > 1:
            # Beyond the nodes that were fed all are pads, which are equal in every layer.
            layer = layer + [pad] * (len(layer) % 2)
            layer = [
                poseidon2.compress(layer[at], layer[at + 1], 0) for at in range(0, len(layer), 2)
            ]
            pad = poseidon2.compress(pad, pad, 0)
            size //= 2
        return layer[0]
