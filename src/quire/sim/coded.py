"""What a dataset is when it is coded, made all at once by the kernels alone: what everything that
codes by pieces, or has others code, is compared with."""

from __future__ import annotations

from quire.dataset.geometry import Geometry
from quire.kernels import erasure, poseidon2
from quire.kernels.hashing import merkle_root, sha256_blocks
from quire.store.shape import EMPTY_DIGEST


def coded_at_once(content: bytes, k: int, m: int, block_size: int) -> tuple[bytes, list[bytes]]:
    """Tree root and slot roots."""
    geometry = Geometry(-(-len(content) // block_size), k, m, block_size)
    whole = content.ljust(geometry.rounded * block_size, b"\0")
    size = geometry.steps * block_size
    rows = [whole[at : at + size] for at in range(0, len(whole), size)]
    parity = erasure.encode(rows, m)
    leaves = sha256_blocks(content, block_size)
    leaves += EMPTY_DIGEST * (geometry.rounded - geometry.original_blocks)
    leaves += b"".join(sha256_blocks(row, block_size) for row in parity)
    pads = poseidon2.zero_block_digest(block_size) * (geometry.slot_blocks - geometry.steps)
    slots = [
        poseidon2.root(poseidon2.block_digests(row, block_size) + pads) for row in (*rows, *parity)
    ]
    return merkle_root(leaves), slots
