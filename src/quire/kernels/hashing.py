"""Batch SHA-256 and the keyed Merkle tree, over many blocks in one call.

All functions release the GIL. A tree is one `bytes`: every layer from the leaves up to the root,
each node 32 bytes, joined (content.md 2.1). A *range proof* is the digests that are needed, besides
the leaves [start, start + count), to compute the root: for each layer from the bottom, first the
left neighbour of the range if its start is odd, then the right neighbour if its last index is even
and that neighbour exists. The layout is therefore a function of (start, count, leaf_count) alone,
and a proof of any other length is refused. A proof shows that the leaves stand at `start`; it does
not prove `leaf_count`, which must come from the manifest.
"""

from __future__ import annotations

from quire._core import (
    merkle_root,
    merkle_tree,
    range_proof,
    sha256_blocks,
    verify_blocks,
    verify_leaves,
    verify_range,
)

__all__ = [
    "merkle_root",
    "merkle_tree",
    "range_proof",
    "sha256_blocks",
    "verify_blocks",
    "verify_leaves",
    "verify_range",
]
