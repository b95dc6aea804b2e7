"""Range proofs, also of trees of which only a part is known."""

from __future__ import annotations

from quire.base.errors import BlockMissing
from quire.store.core import Core
from quire.store.read import check_range
from quire.store.shape import UNKNOWN
from quire.store.treecache import TreeEntry


class Prover:
    """Makes range proofs out of what is known of a tree."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def prove_range(self, root: bytes, start: int, count: int) -> bytes:
        """See BlockStore.prove_range."""
        entry = self._core.trees.entry(root) or self._core.holds.entry(root)
        if entry is None:
            raise BlockMissing(f"no tree with the root {root.hex()} is known here")
        check_range(entry, start, count)
        return await self._core.off_loop(self._prove, entry, start, count)

    def _prove(self, entry: TreeEntry, start: int, count: int) -> bytes:
        nodes = [
            self._core.trees.node(entry, layer, index)
            for layer, index in entry.shape.proof_positions(start, count)
        ]
        if UNKNOWN in nodes:
            raise BlockMissing(
                f"too little of the tree {entry.root.hex()[:16]}… is known here to prove the "
                f"blocks {start} to {start + count}"
            )
        return b"".join(nodes)
