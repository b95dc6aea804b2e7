"""The transaction in which fetched ranges become present in their trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from quire.base.ranges import RangeSet
from quire.store.changes import dataset_of
from quire.store.committer import Change
from quire.store.core import Core
from quire.store.dataset import Dataset
from quire.store.meta import Tables
from quire.store.page import LeafPage
from quire.store.segment import LeafBatch, Segment
from quire.store.shape import DIGEST_BYTES, PAGE_LEAVES
from quire.store.trees import VISIBLE, TreeRow


@dataclass(frozen=True, slots=True)
class FetchedRange:
    """Verified leaves of a tree, from `start` on, and the proof that came with them."""

    tree_id: int
    root: bytes
    start: int
    digests: bytes
    proof: bytes

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
            core.trees.gain(gain.root, gain.tree_id, gain.gained)
            for dataset in gain.completed:
                core.changes.tell("complete", dataset)

    def failed(_: BaseException) -> None:
        core.pins.unpin(leaves.pinned)
        core.packs.discard(leaves.extents)
        core.quota.release(batch.size_bytes)

    return Change(apply, leaves.packs, weight=len(leaves), done=done, failed=failed)


@dataclass(slots=True)
class _Growth:
    """A tree with the pages that change in this transaction."""

    row: TreeRow
    nodes: bytearray
    pages: dict[int, LeafPage] = field(default_factory=dict)
    gained: RangeSet = field(default_factory=RangeSet)

    def page(self, tables: Tables, number: int) -> LeafPage:
        page = self.pages.get(number)
        if page is None:
            shape = self.row.shape
            page = tables.trees.load_page(self.row.id, number, shape)
            page = page or LeafPage.blank(self.row.id, number, shape)
            self.pages[number] = page
        return page


def _record(tables: Tables, batch: FetchedBatch) -> list[Gain]:
    growths: dict[int, _Growth | None] = {}
    accepted: list[tuple[_Growth, int, bytes]] = []
    for each in batch.ranges:
        if each.tree_id not in growths:
            growths[each.tree_id] = _growth(tables, each)
        growth = growths[each.tree_id]
        if growth is None:
            continue  # the dataset was deleted meanwhile
        for position in range(each.leaf_count):
            leaf = each.start + position
            page = growth.page(tables, leaf // PAGE_LEAVES)
            if page.has(leaf % PAGE_LEAVES) or leaf in growth.gained:
                continue
            growth.gained.add(leaf, leaf + 1)
            accepted.append((growth, leaf, each.digest(position)))
        _keep_proof(tables, growth, each)
    places = batch.leaves.record(tables.blocks, [digest for _, _, digest in accepted])
    _mark(tables, accepted, places)
    tables.damage.remove((growth.row.id, leaf) for growth, leaf, _ in accepted)
    return [_finish(tables, growth) for growth in growths.values() if growth is not None]


def _growth(tables: Tables, fetched: FetchedRange) -> _Growth | None:
    row = tables.trees.by_id(fetched.tree_id)
    if row is None or row.state != VISIBLE or row.root != fetched.root:
        return None
    size = sum(row.shape.upper_layers()) * DIGEST_BYTES
    return _Growth(row, bytearray(size) if row.nodes is None else bytearray(row.nodes))


def _keep_proof(tables: Tables, growth: _Growth, fetched: FetchedRange) -> None:
    """Remember the nodes of a proof, so that the leaves can be proved again."""
    shape = growth.row.shape
    positions = shape.proof_positions(fetched.start, fetched.leaf_count)
    for order, (layer, index) in enumerate(positions):
        node = fetched.proof[order * DIGEST_BYTES : (order + 1) * DIGEST_BYTES]
        number, inner, at = shape.locate(layer, index)
        if number < 0:
            nodes, sizes = growth.nodes, shape.upper_layers()
        else:
            page = growth.page(tables, number)
            if page.knows_all_leaves:
                continue
            nodes, sizes = page.nodes, shape.page_layers(number)
        at = (sum(sizes[:inner]) + at) * DIGEST_BYTES
        nodes[at : at + DIGEST_BYTES] = node


def _mark(
    tables: Tables, accepted: list[tuple[_Growth, int, bytes]], places: Mapping[bytes, int]
) -> None:
    for growth, leaf, digest in accepted:
        page = growth.page(tables, leaf // PAGE_LEAVES)
        index = leaf % PAGE_LEAVES
        page.nodes[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES] = digest
        page.mark(index, places[digest])


def _finish(tables: Tables, growth: _Growth) -> Gain:
    row = growth.row
    for page in growth.pages.values():
        tables.trees.save_page(page, page.settle())
    present_count = row.present_count + growth.gained.count()
    is_complete = present_count == row.leaf_count
    tables.trees.set_progress(row.id, present_count, None if is_complete else bytes(growth.nodes))
    completed = []
    if is_complete and growth.gained:
        found = [tables.catalog.find(cid) for cid in tables.catalog.of_tree(row.id)]
        completed = [dataset_of(each) for each in found if each is not None]
    return Gain(row.id, row.root or b"", list(growth.gained), completed)
