"""What exchange, flow and faces may ask of a block store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from quire.base.ranges import RangeSet
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

    async def leaves(self, root: bytes) -> bytes | None:
        """The digests of all leaves of a tree, 32 bytes each; None unless all are known."""

    async def read_leaves(self, root: bytes, start: int, count: int) -> bytes:
        """The digests of `count` leaves from `start` on. Raises BlockMissing when one is not
        known, InputError when the range is not one of the tree."""

    async def unknown_leaves(self, root: bytes) -> RangeSet:
        """The leaves whose digests are not known. Raises BlockMissing for an unknown tree."""

    async def put_leaves(self, root: bytes, digests: Buffer) -> None:
        """Learn the digests of all leaves of a registered tree. Idempotent; durable on return.

        Raises InputError unless their Merkle root is `root`, BlockMissing for an unknown tree."""

    async def put_leaf_range(self, root: bytes, start: int, digests: Buffer, proof: Buffer) -> None:
        """Learn digests that kernels.verify_leaves has accepted. As `put_leaves` otherwise."""

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

    async def put_block_range(self, root: bytes, start: int, data: Buffer) -> None:
        """Take whole blocks from leaf `start` on, rebuilt or fetched, whose digests are known.

        Padding comes as zeros and is not stored. As `put_range` otherwise. Raises IntegrityError
        with `leaf`, the first that does not match (then nothing is kept), BlockMissing when a
        digest is not known."""

    async def flush(self) -> None:
        """Everything put so far is durable and visible when this returns. Raises what went wrong
        with ranges that were accepted since the last flush."""

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Call `listener(kind, dataset)` on "added", "complete" and "deleted", on the loop's
        thread; returns the function that stops it."""
