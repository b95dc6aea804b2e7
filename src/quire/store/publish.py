"""The transactions of an upload: steps into the index, the dataset at the end, or its undoing."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from quire.base.errors import Busy
from quire.base.invariant import invariant
from quire.store.catalog import DatasetRow
from quire.store.changes import dataset_of
from quire.store.committer import Change
from quire.store.core import Core
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.meta import Tables
from quire.store.page import LeafPage
from quire.store.segment import LeafBatch
from quire.store.shape import (
    DIGEST_BYTES,
    PAGE_HEIGHT_MAX,
    PAGE_LEAVES,
    TreeShape,
    page_tree,
    root_of_pages,
)


@dataclass(frozen=True, slots=True)
class Staged:
    """How far an upload has entered the index, as a tree without a name."""

    tree_id: int | None = None
    leaf_count: int = 0
    page_nodes: tuple[bytes, ...] = ()

    def followed_by(self, step: Staged) -> Staged:
        """This and the next step."""
        return Staged(
            step.tree_id,
            self.leaf_count + step.leaf_count,
            self.page_nodes + step.page_nodes,
        )


@dataclass(frozen=True, slots=True)
class Publication:
    """What becomes visible when an upload ends."""

    tree_root: bytes
    leaf_count: int
    manifest_bytes: bytes
    manifest_digest: bytes
    root: RetentionRoot
    staged: Staged

    @staticmethod
    def root_of(staged: Staged, rest: LeafBatch) -> tuple[bytes, int]:
        """(tree root, leaves) of an upload: what is staged and the leaves that are not."""
        leaf_count = staged.leaf_count + len(rest)
        height = TreeShape(leaf_count).page_height
        nodes = list(staged.page_nodes)
        for at in range(0, len(rest), PAGE_LEAVES):
            leaves = b"".join(rest.digests[at : at + PAGE_LEAVES])
            nodes.append(page_tree(leaves, height)[-DIGEST_BYTES:])
        return root_of_pages(nodes), leaf_count


@dataclass(frozen=True, slots=True)
class Published:
    """The outcome of the last transaction of an upload."""

    dataset: Dataset
    is_new: bool
    was_needed: bool  # False: the tree was complete already, the upload's blocks are spare
    replaced_tree: int | None  # a partial tree with the same root
    completed: tuple[Dataset, ...]  # datasets that had only that


def stage_change(core: Core, batch: LeafBatch, tree_id: int | None, first: int) -> Change[Staged]:
    """Whole pages enter the index; `first` is the number of leaves before them."""
    invariant(len(batch) % PAGE_LEAVES == 0, "only whole pages are staged")

    def apply(tables: Tables) -> Staged:
        tree = tree_id or tables.trees.add_staging(batch.block_size)
        places = batch.record(tables.blocks, batch.digests)
        nodes = _save_pages(tables, tree, first, batch, places, PAGE_HEIGHT_MAX)
        return Staged(tree, len(batch), tuple(nodes))

    def done(_: Staged) -> None:
        core.pins.unpin(batch.pinned)
        core.packs.settle(batch.extents)

    return Change(apply, batch.packs, weight=len(batch), done=done)


def publish_change(
    core: Core,
    batch: LeafBatch,
    publication: Publication,
    settled: Callable[[], None],
    lost: Callable[[BaseException], None],
) -> Change[Published]:
    """The rest of the leaves, the tree's name and the dataset, all together."""

    def apply(tables: Tables) -> Published:
        return _publish(tables, batch, publication, core.clock.now())

    def done(outcome: Published) -> None:
        core.pins.unpin(batch.pinned)
        if outcome.was_needed:
            core.packs.settle(batch.extents)
        else:
            core.packs.discard(batch.extents)
        if outcome.replaced_tree is not None:
            core.trees.forget(outcome.replaced_tree, publication.tree_root)
        settled()
        if outcome.is_new:
            core.changes.tell("added", outcome.dataset)
            core.changes.tell("complete", outcome.dataset)
        for dataset in outcome.completed:
            core.changes.tell("complete", dataset)

    return Change(apply, batch.packs, weight=len(batch) + 1, done=done, failed=lost)


def condemn_change(tree_id: int) -> Change[None]:
    """What an aborted upload has staged is to be taken apart."""
    return Change(lambda tables: tables.trees.condemn(tree_id), frees_space=True)


def _publish(tables: Tables, batch: LeafBatch, publication: Publication, now: float) -> Published:
    staged, root = publication.staged, publication.tree_root
    existing = tables.trees.by_root(root)
    before = tables.catalog.find(publication.manifest_digest)
    was_needed = existing is None or not existing.is_complete
    partial = existing if was_needed else None
    incomplete = [] if partial is None else tables.catalog.of_tree(partial.id)
    if existing is not None and not was_needed:
        tree_id = existing.id
        if staged.tree_id is not None:
            tables.trees.condemn(staged.tree_id)
    else:
        _check_staged(tables, staged)
        tree_id = staged.tree_id or tables.trees.add_staging(batch.block_size)
        height = TreeShape(publication.leaf_count).page_height
        places = batch.record(tables.blocks, batch.digests)
        _save_pages(tables, tree_id, staged.leaf_count, batch, places, height)
        if partial is not None:
            tables.trees.condemn(partial.id)
            tables.catalog.move(partial.id, tree_id)
        tables.trees.publish(tree_id, root, publication.leaf_count)
    dataset_id = (
        before.id
        if before is not None
        else tables.catalog.add(
            publication.manifest_digest, publication.manifest_bytes, tree_id, now
        )
    )
    tables.catalog.retain(dataset_id, publication.root)
    return Published(
        dataset=dataset_of(_found(tables, publication.manifest_digest)),
        is_new=before is None,
        was_needed=was_needed,
        replaced_tree=None if partial is None else partial.id,
        completed=tuple(dataset_of(_found(tables, cid)) for cid in incomplete),
    )


def _check_staged(tables: Tables, staged: Staged) -> None:
    """Raise Busy when a staged leaf was found corrupt meanwhile."""
    row = None if staged.tree_id is None else tables.trees.by_id(staged.tree_id)
    if row is not None and row.present_count < 0:
        raise Busy("a block of this upload went bad on the disk; send it again")


def _found(tables: Tables, digest: bytes) -> DatasetRow:
    row = tables.catalog.find(digest)
    invariant(row is not None, "a dataset that was just written is not there")
    assert row is not None
    return row


def _save_pages(
    tables: Tables,
    tree_id: int,
    first: int,
    batch: LeafBatch,
    places: Mapping[bytes, int],
    height: int,
) -> list[bytes]:
    """Write the pages of leaves that are all present; their page nodes."""
    invariant(first % PAGE_LEAVES == 0, "a page is written as a whole")
    nodes = []
    for at in range(0, len(batch), PAGE_LEAVES):
        leaves = batch.digests[at : at + PAGE_LEAVES]
        digests = b"".join(leaves)
        page = LeafPage(
            tree_id=tree_id,
            number=(first + at) // PAGE_LEAVES,
            leaf_count=len(leaves),
            height=height,
            nodes=bytearray(digests),
            present=None,
            places=array("Q", [places[digest] for digest in leaves]),
        )
        node = page_tree(digests, height)[-DIGEST_BYTES:]
        tables.trees.save_page(page, node)
        nodes.append(node)
    return nodes
