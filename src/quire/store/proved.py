"""Blocks for others, who check them against the root of the tree themselves."""

from __future__ import annotations

from quire.base.errors import BlockMissing
from quire.store.port import BlockStore
from quire.store.shape import DIGEST_BYTES, EMPTY_DIGEST


async def read_proved(
    store: BlockStore, root: bytes, start: int, count: int
) -> tuple[bytes, bytes]:
    """Whole blocks and the range proof that they stand in the tree there.

    Raises BlockMissing as `read_range` and `prove_range` do, and for padding: it reads as zeros,
    and its leaf is not their digest, so that whoever asks for it would take us for a liar."""
    proof = await store.prove_range(root, start, count)
    digests = await store.read_leaves(root, start, count)  # not known of padding that is claimed
    padding = [
        start + at
        for at in range(count)
        if digests[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES] == EMPTY_DIGEST
    ]
    if padding:
        raise BlockMissing(
            f"block {padding[0]} of the tree {root.hex()[:16]}… is padding, which has no bytes "
            "that could be proved",
            missing=padding,
        )
    return await store.read_range(root, start, count), proof
