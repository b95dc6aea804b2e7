"""The transaction that registers a dataset by its manifest alone."""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import BadManifest
from quire.formats.manifest import Manifest
from quire.store.changes import dataset_of
from quire.store.committer import Change
from quire.store.core import Core
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.meta import Tables
from quire.store.padding import refuse_false_padding, settle_padding
from quire.store.trees import TreeRow


@dataclass(frozen=True, slots=True)
class Registered:
    dataset: Dataset
    is_new: bool
    tree_id: int


def register_change(
    core: Core, data: bytes, digest: bytes, manifest: Manifest, root: RetentionRoot
) -> Change[Registered]:
    """Its bytes are reserved in the quota; `done` releases them."""
    tree_root = manifest.tree_cid.digest

    def apply(tables: Tables) -> Registered:
        before = tables.catalog.find(digest)
        tree_id = _tree_of(tables, manifest) if before is None else before.tree_id
        if before is None:
            dataset_id = tables.catalog.add(digest, data, tree_id, core.clock.now())
            settle_padding(tables, tree_id)
        else:
            dataset_id = before.id
        tables.catalog.retain(dataset_id, root)
        row = tables.catalog.find(digest)
        assert row is not None
        return Registered(dataset_of(row), before is None, tree_id)

    def done(outcome: Registered) -> None:
        core.quota.release(len(data))
        if not outcome.is_new:
            return
        core.trees.forget(outcome.tree_id, tree_root)
        core.changes.tell("added", outcome.dataset)
        if outcome.dataset.is_complete:
            core.changes.tell("complete", outcome.dataset)

    return Change(apply, done=done)


def _tree_of(tables: Tables, manifest: Manifest) -> int:
    """The id of the manifest's tree, new or not. Raises BadManifest."""
    root = manifest.tree_cid.digest
    row = tables.trees.by_root(root)
    shape = (manifest.block_count, manifest.block_size)
    liar: TreeRow | None = None
    if row is not None and (row.leaf_count, row.block_size) != shape:
        if tables.trees.knows_nodes(row):
            raise BadManifest(
                f"the manifest says that the tree {manifest.tree_cid} has {shape[0]} blocks of "
                f"{shape[1]}, but it has {row.leaf_count} of {row.block_size}"
            )
        # Nothing was ever verified for the other shape, and one of the manifests lies. The newer
        # one may try; datasets of the older one follow.
        tables.trees.condemn(row.id)
        liar, row = row, None
    tree_id = tables.trees.add_partial(root, *shape) if row is None else row.id
    if liar is not None:
        tables.catalog.move(liar.id, tree_id)
    if row is not None:
        refuse_false_padding(tables, row, manifest)
    return tree_id
