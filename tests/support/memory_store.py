"""A `BlockStore` in memory: the test double of the exchange and of everything above it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from random import Random

from quire.base.errors import BlockMissing, InputError, IntegrityError, QuireError
from quire.base.ranges import RangeSet
from quire.formats.cid import Cid, manifest_cid, tree_cid
from quire.formats.manifest import Manifest, decode_manifest, encode_manifest
from quire.kernels.hashing import (
    merkle_root,
    merkle_tree,
    range_proof,
    sha256_blocks,
    verify_blocks,
    verify_leaves,
    verify_range,
)
from quire.store.dataset import Dataset, RetentionRoot, TreeState
from quire.store.disk import Buffer
from quire.store.port import Listener


class _Tree:
    """Blocks of one tree; proofs come from the whole tree, which the first complete copy gives."""

    def __init__(self, manifest: Manifest) -> None:
        self.root = manifest.tree_cid.digest
        self.leaf_count = manifest.block_count
        self.block_size = manifest.block_size
        self.data = bytearray(self.leaf_count * self.block_size)
        self.present = RangeSet()
        self.pending = RangeSet()  # put, visible after the next flush
        self.nodes = b""
        self.learned: dict[int, bytes] = {}  # leaf -> digest


class MemoryStore:
    """Everything in memory. `put_seconds` slows writing, `put_problem` makes it fail."""

    def __init__(self) -> None:
        self.put_seconds = 0.0
        self.put_problem: QuireError | None = None
        self.put_ranges: list[tuple[int, int]] = []  # (start, count), in order
        self.reads: list[tuple[int, int]] = []
        self.flushes = 0
        self.withheld: list[bytes] = []  # roots of trees that are not for everybody
        self._trees: dict[bytes, _Tree] = {}
        self._written: dict[bytes, None] = {}
        self._manifests: dict[Cid, Dataset] = {}
        self._blocks: dict[Cid, bytes] = {}
        self._listeners: list[Listener] = []

    # ---- for tests ----

    def add(
        self, data: bytes, *, block_size: int = 65536, present: RangeSet | None = None
    ) -> Dataset:
        """Hold a dataset, or only some of its blocks."""
        tree = merkle_tree(sha256_blocks(data, block_size))
        manifest = Manifest(tree_cid(tree[-32:]), block_size, len(data))
        dataset = self.register(encode_manifest(manifest))
        state = self._trees[dataset.tree_root]
        state.nodes = tree
        state.data[: len(data)] = data
        for start, stop in present if present is not None else [(0, state.leaf_count)]:
            state.present.add(start, stop)
        return dataset

    def add_protected(
        self, manifest: bytes, nodes: bytes, blocks: bytes, present: RangeSet
    ) -> Dataset:
        """Hold blocks of a protected tree, all of which is known; `blocks` has pads as zeros."""
        dataset = self.register(manifest)
        state = self._trees[dataset.tree_root]
        state.nodes = nodes
        state.data[:] = blocks
        for start, stop in present:
            state.present.add(start, stop)
        return dataset

    def hold(self, root: bytes, start: int, stop: int) -> None:
        """More blocks of a tree that `add` knows are there now."""
        self._trees[root].present.add(start, stop)

    def lose(self, root: bytes, start: int, stop: int) -> None:
        self._trees[root].present.remove(start, stop)

    def add_block(self, cid: Cid, data: bytes) -> None:
        """Answer for a CID with any bytes, true or not."""
        self._blocks[cid] = data

    def register(self, data: bytes) -> Dataset:
        manifest = decode_manifest(data)
        root = manifest.tree_cid.digest
        if root not in self._trees:
            self._trees[root] = tree = _Tree(manifest)
            if manifest.protection is not None:  # padding is always there
                rows = -(-manifest.original_block_count // manifest.protection.k)
                tree.present.add(manifest.original_block_count, rows * manifest.protection.k)
        cid = manifest_cid(data)
        if cid not in self._manifests:
            self._manifests[cid] = Dataset(cid, manifest, data, 0.0, (), 0)
            self._tell("added", self._manifests[cid])
        return self._manifests[cid]

    async def dataset(self, cid: Cid) -> Dataset | None:
        return self._manifests.get(cid)

    async def retain(self, cid: Cid, root: RetentionRoot) -> None:
        """Nothing is ever collected here."""

    def content(self, dataset: Dataset) -> bytes:
        """The bytes of a complete dataset."""
        tree = self._trees[dataset.tree_root]
        assert tree.present.covers(0, tree.leaf_count)
        return bytes(tree.data[: dataset.manifest.dataset_size])

    # ---- the port ----

    def tree(self, root: bytes) -> TreeState | None:
        tree = self._trees.get(root)
        if tree is None:
            return None
        is_withheld = root in self.withheld
        return TreeState(
            root, tree.leaf_count, tree.block_size, tree.present.copy(), is_withheld=is_withheld
        )

    async def read_range(self, root: bytes, start: int, count: int) -> bytes:
        tree = self._known(root, start, count)
        self.reads.append((start, count))
        await asyncio.sleep(0)
        if not tree.present.covers(start, start + count):
            raise BlockMissing(f"blocks {start} to {start + count - 1} are not here")
        return bytes(
            memoryview(tree.data)[start * tree.block_size : (start + count) * tree.block_size]
        )

    async def prove_range(self, root: bytes, start: int, count: int) -> bytes:
        tree = self._known(root, start, count)
        if not tree.nodes:
            if tree.present.covers(0, tree.leaf_count):
                tree.nodes = merkle_tree(sha256_blocks(tree.data, tree.block_size))
            elif not self._unknown(tree):
                tree.nodes = merkle_tree(self._digests(tree))
            else:
                raise BlockMissing("the tree is not known")
        return range_proof(tree.nodes, tree.leaf_count, start, count)

    async def leaves(self, root: bytes) -> bytes | None:
        tree = self._trees.get(root)
        return None if tree is None or self._unknown(tree) else self._digests(tree)

    async def read_leaves(self, root: bytes, start: int, count: int) -> bytes:
        tree = self._known(root, start, count)
        if self._unknown(tree).within(start, start + count):
            raise BlockMissing("the digests of these leaves are not known")
        return self._digests(tree)[start * 32 : (start + count) * 32]

    async def unknown_leaves(self, root: bytes) -> RangeSet:
        return self._unknown(self._known(root, 0, 1))

    async def put_leaves(self, root: bytes, digests: Buffer) -> None:
        count = self._known(root, 0, 1).leaf_count
        if len(digests) != 32 * count or merkle_root(digests) != root:
            raise InputError("the list of leaves is not that of the tree")
        await self.put_leaf_range(root, 0, digests, b"")

    async def put_leaf_range(self, root: bytes, start: int, digests: Buffer, proof: Buffer) -> None:
        tree = self._known(root, start, len(digests) // 32)
        assert verify_leaves(digests, start, tree.leaf_count, proof, root)
        for at in range(len(digests) // 32):
            tree.learned[start + at] = bytes(digests[at * 32 : at * 32 + 32])

    async def put_block_range(self, root: bytes, start: int, data: Buffer) -> None:
        tree = self._known(root, start, 1)
        count = len(data) // tree.block_size
        if self.put_problem is not None:
            raise self.put_problem
        digests = await self.read_leaves(root, start, count)
        bad = verify_blocks(data, tree.block_size, digests)
        if bad >= 0:
            raise IntegrityError("a block does not match its digest", leaf=start + bad)
        tree.data[start * tree.block_size : (start + count) * tree.block_size] = data
        tree.pending.add(start, start + count)
        self._written[root] = None

    def _unknown(self, tree: _Tree) -> RangeSet:
        unknown = RangeSet() if tree.nodes else RangeSet([(0, tree.leaf_count)])
        for leaf in tree.learned:
            unknown.remove(leaf, leaf + 1)
        return unknown

    def _digests(self, tree: _Tree) -> bytes:
        if tree.nodes:
            return tree.nodes[: 32 * tree.leaf_count]
        return b"".join(tree.learned.get(at, bytes(32)) for at in range(tree.leaf_count))

    def holding(self, root: bytes) -> AbstractContextManager[None]:
        return nullcontext()

    async def read_block(self, cid: Cid) -> bytes:
        if cid in self._manifests:
            return self._manifests[cid].manifest_bytes
        if cid in self._blocks:
            return self._blocks[cid]
        raise BlockMissing(f"{cid} is not here")

    async def put_manifest(self, data: bytes, root: RetentionRoot) -> Dataset:
        return self.register(data)

    async def put_range(
        self, root: bytes, start: int, data: Buffer, digests: Buffer, proof: Buffer
    ) -> None:
        if self.put_problem is not None:
            raise self.put_problem
        if self.put_seconds:
            await asyncio.sleep(self.put_seconds)
        if root not in self._trees:
            raise BlockMissing("the tree is not registered")
        tree = self._trees[root]
        count = len(digests) // 32
        assert verify_range(data, tree.block_size, start, tree.leaf_count, proof, root) == digests
        tree.data[start * tree.block_size : (start + count) * tree.block_size] = data
        tree.pending.add(start, start + count)
        self._written[root] = None
        self.put_ranges.append((start, count))

    async def flush(self) -> None:
        self.flushes += 1
        await asyncio.sleep(0)
        written, self._written = self._written, {}
        for root in written:
            tree = self._trees[root]
            was_complete = tree.present.covers(0, tree.leaf_count)
            for start, stop in tree.pending:
                tree.present.add(start, stop)
            tree.pending = RangeSet()
            if not was_complete and tree.present.covers(0, tree.leaf_count):
                for dataset in self._manifests.values():
                    if dataset.tree_root == root:
                        self._tell("complete", dataset)

    def on_change(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _known(self, root: bytes, start: int, count: int) -> _Tree:
        tree = self._trees.get(root)
        if tree is None:
            raise BlockMissing("the tree is unknown")
        if start < 0 or count < 1 or start + count > tree.leaf_count:
            raise InputError("the range is not one of the tree")
        return tree

    def _tell(self, kind: str, dataset: Dataset) -> None:
        for listener in list(self._listeners):
            listener(kind, dataset)


def random_bytes(size: int, seed: int = 1) -> bytes:
    return Random(seed).randbytes(size)
