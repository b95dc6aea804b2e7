"""The digests of a tree's leaves, known or learned without the blocks.

Whoever knows them all checks any block of the tree by itself, fetched or rebuilt, and proves any
range to others. They are kept in the pages of the tree, where present leaves have them anyway, so
a list that is learned in parts survives a crash part by part.
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import BlockMissing, InputError
from quire.base.ranges import RangeSet
from quire.kernels.hashing import merkle_root, verify_blocks
from quire.store.committer import Change
from quire.store.core import Core
from quire.store.dataset import Dataset
from quire.store.disk import Buffer
from quire.store.growth import Growth
from quire.store.meta import Tables
from quire.store.read import check_range
from quire.store.shape import DIGEST_BYTES, EMPTY_DIGEST, PAGE_LEAVES
from quire.store.treecache import TreeEntry

LEARN_LEAVES_MAX = 4 * PAGE_LEAVES  # by one transaction


@dataclass(frozen=True, slots=True)
class _Learned:
    """Pages that changed, whether padding did, and datasets that have only lacked that."""

    pages: list[int]
    has_other_padding: bool
    completed: list[Dataset]


class LeafLists:
    """Reads and learns leaf digests, page by page."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def unknown(self, root: bytes) -> RangeSet:
        """See BlockStore.unknown_leaves."""
        return await self._core.off_loop(self._unknown, self._entry(root))

    async def whole(self, root: bytes) -> bytes | None:
        """See BlockStore.leaves."""
        entry = self._core.trees.entry(root)
        if entry is None:
            return None
        try:
            return await self._core.off_loop(self._read, entry, 0, entry.leaf_count)
        except BlockMissing:
            return None

    async def read(self, root: bytes, start: int, count: int) -> bytes:
        """See BlockStore.read_leaves."""
        entry = self._entry(root)
        check_range(entry, start, count)
        return await self._core.off_loop(self._read, entry, start, count)

    async def put(self, root: bytes, digests: Buffer) -> None:
        """See BlockStore.put_leaves."""
        entry, view = self._entry(root), memoryview(digests).cast("B")
        if len(view) != entry.leaf_count * DIGEST_BYTES:
            raise InputError(
                f"{len(view)} bytes are not the digests of {entry.leaf_count} leaves; a list of "
                f"leaves has {DIGEST_BYTES} bytes for each"
            )
        if await self._core.off_loop(merkle_root, view) != root:
            raise InputError(f"the list of leaves is not that of the tree {root.hex()}")
        await self._learn(entry, 0, view, None)

    async def put_range(self, root: bytes, start: int, digests: Buffer, proof: Buffer) -> None:
        """See BlockStore.put_leaf_range."""
        entry, view = self._entry(root), memoryview(digests).cast("B")
        if len(view) % DIGEST_BYTES:
            raise InputError(f"{len(view)} bytes are not whole digests of {DIGEST_BYTES} bytes")
        check_range(entry, start, len(view) // DIGEST_BYTES)
        await self._learn(entry, start, view, bytes(proof))

    def _entry(self, root: bytes) -> TreeEntry:
        entry = self._core.trees.entry(root) or self._core.holds.entry(root)
        if entry is None:
            raise BlockMissing(f"no tree with the root {root.hex()} is known here")
        return entry

    def _unknown(self, entry: TreeEntry) -> RangeSet:
        unknown = RangeSet()
        known = self._core.meta.reading.trees.page_nodes(entry.id)  # of whole pages
        for number in range(entry.shape.page_count):
            if number in known:
                continue
            base, page = number * PAGE_LEAVES, self._core.trees.page(entry, number)
            if page is None:
                unknown.add(base, base + entry.shape.page_leaves(number))
                continue
            for index in page.unknown(0, page.leaf_count):
                unknown.add(base + index, base + index + 1)
        return unknown

    def _read(self, entry: TreeEntry, start: int, count: int) -> bytes:
        """In a worker thread. Raises BlockMissing when the digest of a leaf is not known."""
        parts: list[bytes] = []
        at, stop = start, start + count
        while at < stop:
            number = at // PAGE_LEAVES
            base = number * PAGE_LEAVES
            low, high = at - base, min(stop - base, PAGE_LEAVES)
            page = self._core.trees.page(entry, number)
            if page is None or page.unknown(low, high):
                raise BlockMissing(
                    f"the digests of the leaves {at} to {base + high} of the tree "
                    f"{entry.root.hex()[:16]}… are not all known here; fetch its list of leaves"
                )
            parts.append(bytes(page.digests[low * DIGEST_BYTES : high * DIGEST_BYTES]))
            at = base + high
        return b"".join(parts)

    async def _learn(
        self, entry: TreeEntry, start: int, digests: memoryview, proof: bytes | None
    ) -> None:
        """Note digests in steps that end at the borders of pages, the proof with the first."""
        at, stop = start, start + len(digests) // DIGEST_BYTES
        span = (start, stop - start)
        while at < stop:
            upto = min(stop, at - at % PAGE_LEAVES + LEARN_LEAVES_MAX)
            part = bytes(digests[(at - start) * DIGEST_BYTES : (upto - start) * DIGEST_BYTES])
            await self._core.committer.run(_learn_change(self._core, entry, at, part, span, proof))
            at, proof = upto, None


def _learn_change(
    core: Core,
    entry: TreeEntry,
    start: int,
    digests: bytes,
    span: tuple[int, int],
    proof: bytes | None,
) -> Change[_Learned]:
    """`proof` is that of `span` (start, count), of which these digests are a part."""

    def apply(tables: Tables) -> _Learned:
        growth = Growth.of(tables, entry.id, entry.root)
        if growth is None:
            raise BlockMissing(f"the tree {entry.root.hex()} was deleted meanwhile")
        _note(tables, growth, start, digests)
        if proof is not None:
            growth.keep_proof(tables, *span, proof)
        growth.save(tables)
        pages = sorted(growth.pages)
        return _Learned(pages, growth.has_other_padding, growth.completed(tables))

    def done(learned: _Learned) -> None:
        if learned.has_other_padding:
            core.trees.forget(entry.id, entry.root)
        else:
            core.trees.forget_pages(entry.id, learned.pages)
        for dataset in learned.completed:
            core.changes.tell("complete", dataset)

    return Change(apply, weight=len(digests) // DIGEST_BYTES, done=done)


def _note(tables: Tables, growth: Growth, start: int, digests: bytes) -> None:
    at, stop = start, start + len(digests) // DIGEST_BYTES
    while at < stop:
        number = at // PAGE_LEAVES
        base = number * PAGE_LEAVES
        upto = min(stop, base + PAGE_LEAVES)
        page = growth.page(tables, number)
        part = digests[(at - start) * DIGEST_BYTES : (upto - start) * DIGEST_BYTES]
        page.nodes[(at - base) * DIGEST_BYTES : (upto - base) * DIGEST_BYTES] = part
        at = upto


def check_blocks(data: memoryview, block_size: int, digests: bytes) -> tuple[RangeSet, int | None]:
    """Which of the blocks are to be stored, and the first that does not match its digest.

    Padding (EMPTY_DIGEST) stands for zeros and is not stored. Blocking."""
    count, blocks = len(digests) // DIGEST_BYTES, RangeSet([(0, len(digests) // DIGEST_BYTES)])
    at = digests.find(EMPTY_DIGEST)
    while at >= 0:
        if at % DIGEST_BYTES == 0:
            blocks.remove(at // DIGEST_BYTES, at // DIGEST_BYTES + 1)
        at = digests.find(EMPTY_DIGEST, at + 1)
    bad = [
        low
        for low, high in RangeSet([(0, count)]).minus(blocks)
        if data[low * block_size : high * block_size] != bytes((high - low) * block_size)
    ]
    for low, high in blocks:
        part = digests[low * DIGEST_BYTES : high * DIGEST_BYTES]
        wrong = verify_blocks(data[low * block_size : high * block_size], block_size, part)
        bad += [] if wrong < 0 else [low + wrong]
    return blocks, min(bad, default=None)
