"""The last step of whatever makes a dataset: its tree gets its name, the dataset its row."""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.invariant import invariant
from quire.store.catalog import DatasetRow
from quire.store.changes import dataset_of
from quire.store.core import Core
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.meta import Tables


@dataclass(frozen=True, slots=True)
class Naming:
    """What came of giving a tree its name."""

    tree_id: int  # the tree that has the name
    was_needed: bool = True  # False: another complete tree had it already
    replaced_tree: int | None = None  # a partial tree that had it
    incomplete: tuple[bytes, ...] = ()  # manifest digests of the datasets of that


@dataclass(frozen=True, slots=True)
class Published:
    """A dataset that has become visible, and what that meant for others."""

    dataset: Dataset
    is_new: bool
    was_needed: bool  # False: the tree was complete already, the new blocks are spare
    replaced_tree: int | None  # a partial tree with the same root
    completed: tuple[Dataset, ...]  # datasets that had only that


def name_tree(tables: Tables, tree_id: int, root: bytes, leaf_count: int) -> Naming:
    """Give a whole tree its name, unless a complete one has it; what is spare is condemned."""
    existing = tables.trees.by_root(root)
    if existing is not None and existing.is_complete:
        tables.trees.condemn(tree_id)
        return Naming(existing.id, was_needed=False)
    if existing is None:
        tables.trees.publish(tree_id, root, leaf_count)
        return Naming(tree_id)
    incomplete = tuple(tables.catalog.of_tree(existing.id))
    tables.trees.condemn(existing.id)
    tables.catalog.move(existing.id, tree_id)
    tables.trees.publish(tree_id, root, leaf_count)
    return Naming(tree_id, replaced_tree=existing.id, incomplete=incomplete)


def enlist(
    tables: Tables,
    manifest: tuple[bytes, bytes],
    root: RetentionRoot,
    naming: Naming,
    now: float,
) -> Published:
    """The dataset of a manifest (its bytes, their digest) is one of the tree from now on."""
    data, digest = manifest
    before = tables.catalog.find(digest)
    dataset_id = (
        before.id if before is not None else tables.catalog.add(digest, data, naming.tree_id, now)
    )
    tables.catalog.retain(dataset_id, root)
    return Published(
        dataset=dataset_of(_found(tables, digest)),
        is_new=before is None,
        was_needed=naming.was_needed,
        replaced_tree=naming.replaced_tree,
        completed=tuple(dataset_of(_found(tables, cid)) for cid in naming.incomplete),
    )


def tell(core: Core, published: Published) -> None:
    """On the loop's thread, when it is durable: let everybody know."""
    if published.replaced_tree is not None:
        core.trees.forget(published.replaced_tree, published.dataset.tree_root)
    if published.is_new:
        core.changes.tell("added", published.dataset)
        core.changes.tell("complete", published.dataset)
    for dataset in published.completed:
        core.changes.tell("complete", dataset)


def _found(tables: Tables, digest: bytes) -> DatasetRow:
    row = tables.catalog.find(digest)
    invariant(row is not None, "a dataset that was just written is not there")
    assert row is not None
    return row
