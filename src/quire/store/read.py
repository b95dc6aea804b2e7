"""Blocks out of the store: found, read in few calls, checked against their digests."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from quire.base.errors import BlockMissing, InputError
from quire.formats.cid import Cid, is_block, is_manifest
from quire.kernels.hashing import sha256_blocks, verify_blocks
from quire.store.core import Core
from quire.store.extents import OFFSET_BITS, OFFSET_MASK
from quire.store.page import LeafPage
from quire.store.quarantine import Suspect, quarantine_change
from quire.store.shape import DIGEST_BYTES, EMPTY_DIGEST, PAGE_LEAVES
from quire.store.treecache import TreeEntry


@dataclass(frozen=True, slots=True)
class RangeRead:
    """What came of reading a range: bytes that verify, or the blocks that do not."""

    data: bytes
    suspects: list[Suspect]


def check_range(entry: TreeEntry, start: int, count: int) -> None:
    """Raise InputError unless the blocks are a range of the tree."""
    if start < 0 or count < 1 or start + count > entry.leaf_count:
        raise InputError(
            f"blocks {start} to {start + count} are not in a tree of {entry.leaf_count} blocks"
        )


class Reader:
    """Reads ranges of trees and single blocks."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def read_range(self, root: bytes, start: int, count: int) -> bytes:
        """See BlockStore.read_range."""
        return (await self.read_ranges(root, [(start, count)]))[0]

    async def read_ranges(self, root: bytes, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Several ranges (start, count) of a tree at once, each as BlockStore.read_range has it:
        many small ones are read with little more work than one as long as all."""
        for is_last in (False, True):
            entry = self._entry(root, ranges)
            for start, count in ranges:
                check_range(entry, start, count)
            found = await self._core.off_loop(self._read_all, entry, ranges)
            suspects = [suspect for each in found for suspect in each.suspects]
            if not suspects:
                return [each.data for each in found]
            bad = await self._core.committer.run(quarantine_change(self._core, suspects))
            missing = [each.leaf for each in suspects if each.leaf is not None]
            if bad or is_last:
                break
            self._core.trees.forget(entry.id, root)  # what was remembered is out of date
        raise BlockMissing(
            f"{len(missing)} blocks of the tree {root.hex()[:16]}… are not here in good state",
            missing=missing,
        )

    def _entry(self, root: bytes, ranges: Sequence[tuple[int, int]]) -> TreeEntry:
        """The tree; one that was deleted and is held, where that has the ranges and a new one with
        the same root has not. Raises BlockMissing."""
        known = self._core.trees.entry(root)
        entries = [*([] if known is None else [known]), *self._core.holds.entries(root)]
        if not entries:
            raise BlockMissing(f"no tree with the root {root.hex()} is known here")
        whole = (
            each
            for each in entries
            if all(each.present.covers(start, start + count) for start, count in ranges)
        )
        return next(whole, entries[0])

    async def read_block(self, cid: Cid) -> bytes:
        """See BlockStore.read_block."""
        if is_manifest(cid):
            data = await self._core.off_loop(self._core.meta.reading.catalog.manifest, cid.digest)
            if data is not None:
                return data
        elif is_block(cid):
            if cid.digest == EMPTY_DIGEST:
                return b""
            found = await self._core.off_loop(self._read_single, cid.digest)
            if found is not None and not found.suspects:
                return found.data
            if found is not None:
                await self._core.committer.run(quarantine_change(self._core, found.suspects))
        raise BlockMissing(f"block {cid} is not here")

    def _read_single(self, digest: bytes) -> RangeRead | None:
        place = self._core.meta.reading.blocks.find(digest)
        if place is None:
            return None
        data = self._core.packs.read(place[0] >> OFFSET_BITS, place[0] & OFFSET_MASK, place[1])
        is_good = verify_blocks(data, place[1], digest) < 0
        return RangeRead(data, [] if is_good else [Suspect(digest, place[0], None, None)])

    def _read_all(self, entry: TreeEntry, ranges: Sequence[tuple[int, int]]) -> list[RangeRead]:
        """In a worker thread."""
        return [self._read(entry, start, count) for start, count in ranges]

    def _read(self, entry: TreeEntry, start: int, count: int) -> RangeRead:
        """In a worker thread. Raises BlockMissing when a block is known to be absent."""
        digests, places = self._locate(entry, start, count)
        size = entry.block_size
        parts: list[bytes] = []
        suspects: list[Suspect] = []
        low = 0
        while low < count:
            place = places[low]
            high = low + 1
            if place:
                while high < count and places[high] == place + (high - low) * size:
                    high += 1
                part = self._core.packs.read(
                    place >> OFFSET_BITS, place & OFFSET_MASK, (high - low) * size
                )
                expected = digests[low * DIGEST_BYTES : high * DIGEST_BYTES]
                if verify_blocks(part, size, expected) >= 0:
                    suspects += _bad_blocks(entry, part, expected, place, start + low)
            else:
                part = bytes(size)  # padding
            parts.append(part)
            low = high
        return RangeRead(parts[0] if len(parts) == 1 else b"".join(parts), suspects)

    def _locate(
        self, entry: TreeEntry, start: int, count: int
    ) -> tuple[bytes | memoryview, array[int]]:
        """Digests and places of the leaves. Raises BlockMissing."""
        pieces: list[tuple[LeafPage, int, int]] = []
        missing: list[int] = []
        at, stop = start, start + count
        while at < stop:
            number = at // PAGE_LEAVES
            base = number * PAGE_LEAVES
            upto = min(stop, base + PAGE_LEAVES)
            page = self._core.trees.page(entry, number)
            if page is None:
                missing += range(at, upto)
            else:
                missing += [base + i for i in page.missing(at - base, upto - base)]
                pieces.append((page, at - base, upto - base))
            at = upto
        if missing:
            raise BlockMissing(
                f"{len(missing)} of the blocks {start} to {stop} of the tree "
                f"{entry.root.hex()[:16]}… are not here",
                missing=missing,
            )
        if len(pieces) == 1:
            page, low, high = pieces[0]
            return page.digests[low * DIGEST_BYTES : high * DIGEST_BYTES], page.places[low:high]
        places = array("Q")
        for page, low, high in pieces:
            places.extend(page.places[low:high])
        joined = b"".join(
            page.digests[low * DIGEST_BYTES : high * DIGEST_BYTES] for page, low, high in pieces
        )
        return joined, places


def _bad_blocks(
    entry: TreeEntry, data: bytes, expected: bytes | memoryview, place: int, first: int
) -> list[Suspect]:
    found = sha256_blocks(data, entry.block_size)
    suspects = []
    for index in range(len(data) // entry.block_size):
        at = slice(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES)
        if found[at] != expected[at]:
            where = place + index * entry.block_size
            suspects.append(Suspect(bytes(expected[at]), where, entry.id, first + index))
    return suspects
