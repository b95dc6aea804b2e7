"""The transaction in which fetched ranges become present in their trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from quire.store.committer import Change
from quire.store.core import Core
from quire.store.dataset import Dataset
from quire.store.growth import Growth
from quire.store.meta import Tables
from quire.store.segment import LeafBatch, Segment
from quire.store.shape import DIGEST_BYTES, PAGE_LEAVES


@dataclass(frozen=True, slots=True)
class FetchedRange:
    """Verified leaves of a tree, from `start` on, and the proof that came with them, if one did."""

    tree_id: int
    root: bytes
    start: int
    digests: bytes
    proof: bytes | None

    @property
    def leaf_count(self) -> int:
        return len(self.digests) // DIGEST_BYTES

    def digest(self, position: int) -> bytes:
        return self.digests[position * DIGEST_BYTES : (position + 1) * DIGEST_BYTES]


class FetchedBatch:
    """Ranges of trees with one block size that enter the index together."""

    def __init__(self, block_size: int) -> None:
        self.leaves = LeafBatch(block_size)
        self.ranges: list[FetchedRange] = []
        self.size_bytes = 0

    def add(self, fetched: FetchedRange, segment: Segment, size_bytes: int) -> None:
        self.ranges.append(fetched)
        self.leaves.add(segment)
        self.size_bytes += size_bytes


@dataclass(frozen=True, slots=True)
class Gain:
    """What one tree has gained."""

    tree_id: int
    root: bytes
    gained: list[tuple[int, int]]
    has_other_padding: bool
    completed: list[Dataset]


def fetched_change(core: Core, batch: FetchedBatch) -> Change[list[Gain]]:
    leaves = batch.leaves

    def apply(tables: Tables) -> list[Gain]:
        return _record(tables, batch)

    def done(gains: list[Gain]) -> None:
        core.pins.unpin(leaves.pinned)
        core.packs.settle(leaves.extents)
        core.quota.release(batch.size_bytes)
        for gain in gains:
            if gain.has_other_padding:
                core.trees.forget(gain.tree_id, gain.root)
            else:
                core.trees.gain(gain.root, gain.tree_id, gain.gained)
            for dataset in gain.completed:
                core.changes.tell("complete", dataset)

    def failed(_: BaseException) -> None:
        core.pins.unpin(leaves.pinned)
        core.packs.discard(leaves.extents)
        core.quota.release(batch.size_bytes)

    return Change(apply, leaves.packs, weight=len(leaves), done=done, failed=failed)


def _record(tables: Tables, batch: FetchedBatch) -> list[Gain]:
    growths: dict[int, Growth | None] = {}
    accepted: list[tuple[Growth, int, bytes]] = []
    for each in batch.ranges:
        if each.tree_id not in growths:
            growths[each.tree_id] = Growth.of(tables, each.tree_id, each.root)
        growth = growths[each.tree_id]
        if growth is None:
            continue  # the dataset was deleted meanwhile
        for position in range(each.leaf_count):
            leaf = each.start + position
            page, index = growth.page(tables, leaf // PAGE_LEAVES), leaf % PAGE_LEAVES
            if page.is_padding(index):  # so a manifest said, but here is a block that belongs there
                growth.retract(page, index)
            if page.has(index) or leaf in growth.gained:
                continue
            growth.gained.add(leaf, leaf + 1)
            accepted.append((growth, leaf, each.digest(position)))
        if each.proof is not None:
            growth.keep_proof(tables, each.start, each.leaf_count, each.proof)
    places = batch.leaves.record(tables.blocks, [digest for _, _, digest in accepted])
    _mark(tables, accepted, places)
    tables.damage.remove((growth.row.id, leaf) for growth, leaf, _ in accepted)
    return [_finish(tables, growth) for growth in growths.values() if growth is not None]


def _mark(
    tables: Tables, accepted: list[tuple[Growth, int, bytes]], places: Mapping[bytes, int]
) -> None:
    for growth, leaf, digest in accepted:
        page = growth.page(tables, leaf // PAGE_LEAVES)
        index = leaf % PAGE_LEAVES
        page.nodes[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES] = digest
        page.mark(index, places[digest])


def _finish(tables: Tables, growth: Growth) -> Gain:
    row = growth.row
    growth.save(tables)
    return Gain(
        row.id,
        row.root or b"",
        list(growth.gained),
        growth.has_other_padding,
        growth.completed(tables),
    )
