"""Typed stubs of the Rust core, one section per crate behind it.

Buffers may be bytes, bytearray or memoryview (C-contiguous). Digests are 32 bytes each, joined.
"""

from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview

# ---- quire-kernel: hashing and the keyed Merkle tree -------------------------------------------

def sha256_blocks(data: Buffer, block_size: int) -> bytes:
    """Digest of each `block_size` piece of `data`; a short last piece is padded with zeros.

    Raises ValueError when data is empty or block_size is 0."""

def verify_blocks(data: Buffer, block_size: int, digests: Buffer) -> int:
    """Index of the first block whose SHA-256 differs from its digest, or -1 when all agree.

    Raises ValueError unless len(data) == block_size * (len(digests) / 32)."""

def merkle_tree(leaves: Buffer) -> bytes:
    """All layers, leaves first, root last. ValueError when empty or not a multiple of 32."""

def merkle_root(leaves: Buffer) -> bytes:
    """The root alone (32 bytes)."""

def range_proof(tree: Buffer, leaf_count: int, start: int, count: int) -> bytes:
    """The proof of leaves [start, start + count) out of a whole tree (layout: kernels.hashing).

    Raises ValueError when the tree's length does not fit leaf_count or the range is empty or out
    of bounds."""

def verify_leaves(leaves: Buffer, start: int, leaf_count: int, proof: Buffer, root: Buffer) -> bool:
    """Whether the leaves stand at `start` in the tree of `leaf_count` leaves with this root.

    False for a proof of wrong length. ValueError when the range is empty or out of bounds."""

def verify_range(
    data: Buffer, block_size: int, start: int, leaf_count: int, proof: Buffer, root: Buffer
) -> bytes | None:
    """Hash whole blocks and verify them as one range; their digests, or None when they lie.

    Raises ValueError when data is empty, not whole blocks, or out of bounds."""
