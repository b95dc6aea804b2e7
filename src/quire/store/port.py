"""What exchange, flow and faces may ask of a block store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from quire.formats.cid import Cid
from quire.store.dataset import Dataset, RetentionRoot, TreeState
from quire.store.disk import Buffer

Listener = Callable[[str, Dataset], None]


class BlockStore(Protocol):
    """Ranges of trees in and out, always verified."""

    def tree(self, root: bytes) -> TreeState | None:
        """What is held of a tree; None when it is unknown. Does not wait."""

    async def read_range(self, root: bytes, start: int, count: int) -> bytes:
        """`count` whole blocks from leaf `start` on, each checked against its digest.

        Raises BlockMissing when a block is absent or fails its hash (it is then quarantined and
        counts as absent), InputError when the range is not one of the tree."""

    async def prove_range(self, root: bytes, start: int, count: int) -> bytes:
        """The range proof of those leaves (layout: kernels.hashing). Raises BlockMissing when the
        store knows too little of the tree."""

    def holding(self, root: bytes) -> AbstractContextManager[None]:
        """For the length of the block, what is here of the tree can be read, whatever is deleted
        or collected meanwhile. Does nothing when the tree is unknown."""

    async def read_block(self, cid: Cid) -> bytes:
        """A manifest or a single block. Raises BlockMissing."""

    async def put_manifest(self, data: bytes, root: RetentionRoot) -> Dataset:
        """Register the dataset of a manifest, with whatever of its tree is there. Idempotent."""

    async def put_range(
        self, root: bytes, start: int, data: Buffer, digests: Buffer, proof: Buffer
    ) -> None:
        """Take blocks that kernels.verify_range has accepted. Waits while the write queue is full.

        Visible and durable soon, at the latest after `flush`. `data` must not change until then.
        Raises QuotaExceeded, DiskFull, BlockMissing (the tree is not registered)."""

    async def flush(self) -> None:
        """Everything put so far is durable and visible when this returns. Raises what went wrong
        with ranges that were accepted since the last flush."""

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Call `listener(kind, dataset)` on "added", "complete" and "deleted", on the loop's
        thread; returns the function that stops it."""
