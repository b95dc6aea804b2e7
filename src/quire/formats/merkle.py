"""The keyed SHA-256 tree over a dataset's blocks, and the proof that a block belongs to it.

    compress(x, y, key) = SHA-256(x ++ y ++ key)     keys: 0 inner, 1 bottom layer, +2 single child

Leaves are the digests of the blocks, not hashed again. A node without a right sibling is
compressed with 32 zero bytes under its own key. One leaf still has a parent. A whole tree is one
`bytes`, leaves first and root last, as in `kernels/hashing.py`, which builds large ones.
Source   content.md 2; vectors/merkle.json
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from quire.base.errors import BadEncoding, ProofInvalid
from quire.base.invariant import invariant
from quire.formats.multihash import HASH_IDENTITY, HASH_SHA256
from quire.formats.protobuf import Fields, bytes_field, bytes_header, uint_field
from quire.formats.varint import Buffer

DIGEST_BYTES = 32
ZERO = bytes(DIGEST_BYTES)
MAX_LEAVES = (1 << 63) - 1
MAX_DEPTH = 63
MAX_PROOF_BYTES = 34 + 36 * 64
MAX_TREE_BYTES = 100 << 20

_NODE = bytes_header(1, DIGEST_BYTES)
_NODE_HEADER = bytes_header(4, len(_NODE) + DIGEST_BYTES) + _NODE  # of a node in a proof
_KEYS = tuple(bytes((key,)) for key in range(4))


def layer_sizes(leaf_count: int) -> list[int]:
    """Nodes of each layer, leaves first, root last; at least two layers."""
    invariant(leaf_count > 0, "a tree has at least one leaf", leaf_count=leaf_count)
    sizes = [leaf_count]
    while len(sizes) == 1 or sizes[-1] > 1:
        sizes.append((sizes[-1] + 1) // 2)
    return sizes


def depth(leaf_count: int) -> int:
    """Length of every path: max(1, ceil(log2 leaf_count))."""
    return max(1, (leaf_count - 1).bit_length())


def build_tree(leaves: Buffer) -> bytes:
    """All layers of the tree over joined digests of 32 bytes."""
    invariant(len(leaves) > 0 and len(leaves) % DIGEST_BYTES == 0, "leaves are 32 bytes each")
    layers = [bytes(leaves)]
    bottom = 1
    while len(layers) == 1 or len(layers[-1]) > DIGEST_BYTES:
        layers.append(_parents(layers[-1], bottom))
        bottom = 0
    return b"".join(layers)


def tree_root(leaves: Buffer) -> bytes:
    """The root over joined digests of 32 bytes."""
    return build_tree(leaves)[-DIGEST_BYTES:]


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """The siblings from a leaf up to the root, 32 bytes each, zeros where there is none."""

    index: int
    leaf_count: int
    path: tuple[bytes, ...]
    hash_code: int = HASH_SHA256

    def check(self, leaf: bytes, root: bytes, *, index: int, leaf_count: int | None = None) -> None:
        """Raise `ProofInvalid`, with the reason, unless `leaf` stands at `index` under `root`.

        `leaf_count` is the manifest's block count; None when no manifest is known.
        """
        fault = self._fault(leaf, root, index, leaf_count)
        if fault:
            raise ProofInvalid(f"the proof of leaf {index} is refused: {fault}", index=index)

    def _fault(self, leaf: bytes, root: bytes, index: int, leaf_count: int | None) -> str | None:
        if self.hash_code != HASH_SHA256:
            return f"its hash is 0x{self.hash_code:x}, the tree's is 0x{HASH_SHA256:x}"
        if self.index != index:
            return f"it is about leaf {self.index}"
        if leaf_count is not None and self.leaf_count != leaf_count:
            return f"it is of a tree of {self.leaf_count} leaves, not {leaf_count}"
        if not 0 <= self.index < self.leaf_count <= MAX_LEAVES:
            return f"a tree of {self.leaf_count} leaves has no such leaf"
        if len(self.path) != depth(self.leaf_count):
            return f"its path has {len(self.path)} steps, not {depth(self.leaf_count)}"
        if any(len(node) != DIGEST_BYTES for node in (leaf, root, *self.path)):
            return "a node is not 32 bytes"
        return self._fault_of_path(leaf, root)

    def _fault_of_path(self, leaf: bytes, root: bytes) -> str | None:
        node, at, size, bottom = leaf, self.index, self.leaf_count, 1
        for sibling in self.path:
            if at & 1:
                node = _compress(sibling, node, bottom)
            elif at < size - 1:
                node = _compress(node, sibling, bottom)
            elif sibling == ZERO:
                node = _compress(node, ZERO, bottom + 2)
            else:
                return "a missing sibling is not zero"
            at, size, bottom = at >> 1, (size + 1) >> 1, 0
        return None if node == root else "it leads to another root"

    def encode(self) -> bytes:
        """The Codex message; every field is written."""
        parts = [uint_field(1, self.hash_code), uint_field(2, self.index)]
        parts.append(uint_field(3, self.leaf_count))
        parts += (_NODE_HEADER + node for node in self.path)
        return b"".join(parts)


def decode_proof(data: Buffer) -> InclusionProof:
    """An inclusion proof of its message; only `check` tells whether it is true.

    Accepts SHA-256 trees and, under the identity hash, slot trees of field elements.
    Raises   BadEncoding  malformed, outside a limit, of no tree's shape
    """
    fields = Fields(data, max_bytes=MAX_PROOF_BYTES, max_fields=MAX_DEPTH + 16)
    hash_code, index, leaf_count = (fields.uint(number, bits=63) for number in (1, 2, 3))
    if hash_code not in (HASH_SHA256, HASH_IDENTITY):
        raise BadEncoding(f"a proof under hash 0x{hash_code:x} is not known")
    if not index < leaf_count:
        raise BadEncoding(f"a tree of {leaf_count} leaves has no leaf {index}")
    nodes = fields.blobs(4)
    if len(nodes) != depth(leaf_count):
        raise BadEncoding(
            f"a proof of {leaf_count} leaves has {depth(leaf_count)} steps, not {len(nodes)}"
        )
    return InclusionProof(index, leaf_count, tuple(map(_decode_node, nodes)), hash_code)


def prove(tree: Buffer, leaf_count: int, index: int) -> InclusionProof:
    """The proof of one leaf out of a whole tree."""
    sizes = layer_sizes(leaf_count)
    invariant(len(tree) == sum(sizes) * DIGEST_BYTES, "the tree fits its leaf count")
    invariant(0 <= index < leaf_count, "the leaf is in the tree", index=index)
    path, base, at = [], 0, index
    for size in sizes[:-1]:
        sibling = at ^ 1
        begin = (base + sibling) * DIGEST_BYTES
        path.append(bytes(tree[begin : begin + DIGEST_BYTES]) if sibling < size else ZERO)
        base, at = base + size, at >> 1
    return InclusionProof(index, leaf_count, tuple(path))


def encode_tree(tree: Buffer, leaf_count: int) -> bytes:
    """The CodexTree message: all layers, leaves first."""
    invariant(len(tree) == sum(layer_sizes(leaf_count)) * DIGEST_BYTES, "the tree fits its leaves")
    parts = [uint_field(1, HASH_SHA256), uint_field(2, leaf_count)]
    parts += (
        bytes_field(3, bytes_field(1, tree[begin : begin + DIGEST_BYTES]))
        for begin in range(0, len(tree), DIGEST_BYTES)
    )
    return b"".join(parts)


def decode_tree(data: Buffer) -> tuple[bytes, int]:
    """A whole tree and its leaf count. Every node is recomputed.

    Raises   BadEncoding   malformed, outside a limit, of no tree's shape
             ProofInvalid  a node is not the parent of its children
    """
    max_nodes = len(data) // (DIGEST_BYTES + 4)
    fields = Fields(data, max_bytes=MAX_TREE_BYTES, max_fields=max_nodes + 16)
    leaf_count = fields.uint(2, bits=63)
    if fields.uint(1) != HASH_SHA256:
        raise BadEncoding(f"a tree under hash 0x{fields.uint(1):x} is not known")
    if not 0 < leaf_count <= max_nodes:
        raise BadEncoding(f"{len(data)} bytes are not a tree of {leaf_count} leaves")
    nodes = fields.blobs(3)
    if len(nodes) != sum(layer_sizes(leaf_count)):
        raise BadEncoding(f"a tree of {leaf_count} leaves does not have {len(nodes)} nodes")
    tree = b"".join(map(_decode_node, nodes))
    if build_tree(tree[: leaf_count * DIGEST_BYTES]) != tree:
        raise ProofInvalid(f"a tree of {leaf_count} leaves has a wrong node")
    return tree, leaf_count


def _compress(left: bytes, right: bytes, key: int) -> bytes:
    return hashlib.sha256(left + right + _KEYS[key]).digest()


def _parents(layer: bytes, bottom: int) -> bytes:
    pair = 2 * DIGEST_BYTES
    whole = len(layer) - len(layer) % pair
    nodes = [
        hashlib.sha256(layer[at : at + pair] + _KEYS[bottom]).digest()
        for at in range(0, whole, pair)
    ]
    if whole < len(layer):
        nodes.append(_compress(layer[whole:], ZERO, bottom + 2))
    return b"".join(nodes)


def _decode_node(data: memoryview) -> bytes:
    if len(data) == len(_NODE) + DIGEST_BYTES and data[: len(_NODE)] == _NODE:  # as all write it
        return bytes(data[len(_NODE) :])
    node = bytes(Fields(data, max_bytes=DIGEST_BYTES + 16).blob(1))
    if len(node) != DIGEST_BYTES:
        raise BadEncoding(f"a node of a tree has {len(node)} bytes, not {DIGEST_BYTES}")
    return node


# The tree of a dataset without bytes: its one leaf is the digest of nothing (docs/adr/0008).
EMPTY_TREE_ROOT = tree_root(hashlib.sha256(b"").digest())
