"""The transactions of an upload: steps into the index, the dataset at the end, or its undoing."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from quire.base.errors import Busy
from quire.store.committer import Change
from quire.store.core import Core
from quire.store.dataset import RetentionRoot
from quire.store.meta import Tables
from quire.store.naming import Naming, Published, enlist, name_tree, tell
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
from quire.store.trees import TreeTable

WENT_BAD = "a block of this upload went bad on the disk; send it again"


@dataclass(frozen=True, slots=True)
class Staged:
    """How far an upload has entered the index, as a tree without a name.

    page_nodes   of the whole pages
    open_digests, open_places  the leaves of a last page that is not whole
    """

    tree_id: int | None = None
    page_nodes: tuple[bytes, ...] = ()
    open_digests: tuple[bytes, ...] = ()
    open_places: tuple[int, ...] = ()

    @property
    def leaf_count(self) -> int:
        return len(self.page_nodes) * PAGE_LEAVES + len(self.open_digests)


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
        digests = [*staged.open_digests, *rest.digests]
        for at in range(0, len(digests), PAGE_LEAVES):
            leaves = b"".join(digests[at : at + PAGE_LEAVES])
            nodes.append(page_tree(leaves, height)[-DIGEST_BYTES:])
        return root_of_pages(nodes), leaf_count


def stage_change(
    core: Core,
    batch: LeafBatch,
    staged: Staged,
    note: Callable[[Tables, Staged], None] | None = None,
) -> Change[Staged]:
    """The batch enters the index behind what is `staged`; `note` runs in the same transaction."""

    def apply(tables: Tables) -> Staged:
        after = _stage(tables, batch, staged)
        if note is not None:
            note(tables, after)
        return after

    def done(_: Staged) -> None:
        core.pins.unpin(batch.pinned)
        core.packs.settle(batch.extents)

    return Change(apply, batch.packs, weight=len(batch) + 1, done=done)


def _stage(tables: Tables, batch: LeafBatch, staged: Staged) -> Staged:
    _check_staged(tables, staged)
    if not len(batch):
        return staged
    tree = staged.tree_id or tables.trees.add_staging(batch.block_size)
    places = batch.record(tables.blocks, batch.digests)
    leaves = _Leaves.of(staged, batch, places)
    nodes = _save_pages(tables, tree, leaves, PAGE_HEIGHT_MAX)
    open_from = len(leaves.digests) - len(leaves.digests) % PAGE_LEAVES
    return Staged(
        tree,
        staged.page_nodes + tuple(nodes[: open_from // PAGE_LEAVES]),
        tuple(leaves.digests[open_from:]),
        tuple(leaves.places[open_from:]),
    )


def load_staged(trees: TreeTable, tree_id: int | None, leaf_count: int) -> Staged:
    """What an upload had staged when it was left. Raises Busy when a block of it went bad."""
    if tree_id is None:
        return Staged()
    nodes = trees.page_nodes(tree_id)
    whole, rest = divmod(leaf_count, PAGE_LEAVES)
    row = trees.by_id(tree_id)
    page = trees.load_page(tree_id, whole, None) if rest else None
    is_good = row is not None and row.present_count == 0 and all(n in nodes for n in range(whole))
    if not is_good or (rest and (page is None or page.leaf_count != rest)):
        raise Busy(WENT_BAD)
    return Staged(
        tree_id,
        tuple(nodes[number] for number in range(whole)),
        () if page is None else tuple(page.digest(index) for index in range(rest)),
        () if page is None else tuple(page.places),
    )


def publish_change(
    core: Core,
    batch: LeafBatch,
    publication: Publication,
    settled: Callable[[], None],
    lost: Callable[[BaseException], None],
    note: Callable[[Tables], None] | None = None,
) -> Change[Published]:
    """The rest of the leaves, the tree's name and the dataset, all together; `note` runs in the
    same transaction."""

    def apply(tables: Tables) -> Published:
        published = _publish(tables, batch, publication, core.clock.now())
        if note is not None:
            note(tables)
        return published

    def done(outcome: Published) -> None:
        core.pins.unpin(batch.pinned)
        if outcome.was_needed:
            core.packs.settle(batch.extents)
        else:
            core.packs.discard(batch.extents)
        settled()
        tell(core, outcome)

    return Change(apply, batch.packs, weight=len(batch) + 1, done=done, failed=lost)


def condemn_change(tree_id: int) -> Change[None]:
    """What an aborted upload has staged is to be taken apart."""
    return Change(lambda tables: tables.trees.condemn(tree_id), frees_space=True)


def _publish(tables: Tables, batch: LeafBatch, publication: Publication, now: float) -> Published:
    staged, root = publication.staged, publication.tree_root
    existing = tables.trees.by_root(root)
    if existing is not None and existing.is_complete:
        naming = Naming(existing.id, was_needed=False)
        if staged.tree_id is not None:
            tables.trees.condemn(staged.tree_id)
    else:
        _check_staged(tables, staged)
        tree_id = staged.tree_id or tables.trees.add_staging(batch.block_size)
        height = TreeShape(publication.leaf_count).page_height
        places = batch.record(tables.blocks, batch.digests)
        _save_pages(tables, tree_id, _Leaves.of(staged, batch, places), height)
        naming = name_tree(tables, tree_id, root, publication.leaf_count)
    manifest = (publication.manifest_bytes, publication.manifest_digest)
    return enlist(tables, manifest, publication.root, naming, now)


def _check_staged(tables: Tables, staged: Staged) -> None:
    """Raise Busy when a staged leaf was found corrupt meanwhile."""
    row = None if staged.tree_id is None else tables.trees.by_id(staged.tree_id)
    if row is not None and row.present_count < 0:
        raise Busy(WENT_BAD)


@dataclass(frozen=True, slots=True)
class _Leaves:
    """Leaves from the border of a page on: those of the open page, then those of a batch."""

    first: int
    digests: list[bytes]
    places: array[int]

    @classmethod
    def of(cls, staged: Staged, batch: LeafBatch, places: Mapping[bytes, int]) -> _Leaves:
        where = array("Q", staged.open_places)
        where.extend(places[digest] for digest in batch.digests)
        first = len(staged.page_nodes) * PAGE_LEAVES
        return cls(first, [*staged.open_digests, *batch.digests], where)


def _save_pages(tables: Tables, tree_id: int, leaves: _Leaves, height: int) -> list[bytes]:
    """Write the pages of leaves that are all present; their page nodes."""
    nodes = []
    for at in range(0, len(leaves.digests), PAGE_LEAVES):
        digests = leaves.digests[at : at + PAGE_LEAVES]
        joined = b"".join(digests)
        page = LeafPage(
            tree_id=tree_id,
            number=(leaves.first + at) // PAGE_LEAVES,
            leaf_count=len(digests),
            height=height,
            nodes=bytearray(joined),
            present=None,
            places=leaves.places[at : at + PAGE_LEAVES],
        )
        node = page_tree(joined, height)[-DIGEST_BYTES:]
        tables.trees.save_page(page, node)
        nodes.append(node)
    return nodes
