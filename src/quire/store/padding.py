"""Which leaves of a tree count as padding: blocks of zeros that are never stored nor sent.

    proved    the digest of the leaf is known, and that of no bytes: it is padding, whoever asks
    claimed   the digest is not known, but every manifest registered over the tree calls it padding

What is claimed counts as present, and as zeros, until it is known better: a manifest that says
otherwise, a proof or a list of leaves that shows the digest, or the root, once all other leaves
are here. A claim is never taken for a digest: nothing is proved to others with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import BadManifest
from quire.formats.manifest import Manifest, decode_manifest
from quire.store.dataset import Dataset
from quire.store.growth import Growth
from quire.store.meta import Tables
from quire.store.shape import EMPTY_DIGEST, PAGE_LEAVES, UNKNOWN
from quire.store.trees import TreeRow


@dataclass(frozen=True, slots=True)
class Settled:
    """Whether other leaves count as padding than before, and datasets that are complete by it."""

    has_other_padding: bool = False
    completed: tuple[Dataset, ...] = ()


@dataclass(frozen=True, slots=True)
class _Claims:
    """What the manifests of a tree call padding: all of them, and any of them (or more)."""

    common: range
    hull: range


def padding_of(manifest: Manifest) -> range:
    """The leaves that a manifest calls padding (content.md 3.6)."""
    if manifest.protection is None:
        return range(0)
    first, k = manifest.original_block_count, manifest.protection.k
    return range(first, -(-first // k) * k)


def refuse_false_padding(tables: Tables, row: TreeRow, manifest: Manifest) -> None:
    """Raise BadManifest when the tree has a block where the manifest says that padding is."""
    claimed = padding_of(manifest)
    for number in _pages(claimed):
        page = tables.trees.load_page(row.id, number, row.shape)
        base = number * PAGE_LEAVES
        for index in _within(claimed, number) if page is not None else ():
            assert page is not None
            if page.digest(index) not in (UNKNOWN, EMPTY_DIGEST):
                raise BadManifest(
                    f"the manifest says that block {base + index} of the tree "
                    f"{manifest.tree_cid} is padding, but there is another in the tree"
                )


def settle_padding(tables: Tables, tree_id: int, gone: Manifest | None = None) -> Settled:
    """The datasets of a tree are others than before: let its claimed padding follow.

    gone  the manifest of one that was deleted"""
    row = tables.trees.by_id(tree_id)
    growth = None if row is None or row.root is None else Growth.of(tables, tree_id, row.root)
    if growth is None or growth.row.is_complete:
        return Settled()
    claims = _claims(tables, growth.row, gone)
    wanted = _pages(claims.common)
    for number in _pages(claims.hull):
        if number not in wanted and tables.trees.load_page(tree_id, number, None) is None:
            continue
        page, base = growth.page(tables, number), number * PAGE_LEAVES
        for index in _within(claims.hull, number):
            if page.is_claimed(index) and base + index not in claims.common:
                growth.retract(page, index)
            elif base + index in claims.common and page.digest(index) == UNKNOWN:
                growth.claim(page, index)
    growth.save(tables)
    return Settled(growth.has_other_padding, tuple(growth.completed(tables)))


def _claims(tables: Tables, row: TreeRow, gone: Manifest | None) -> _Claims:
    """A manifest that says that the tree has another shape has no say."""
    common: range | None = None
    shape = (row.leaf_count, row.block_size)
    hull = range(0) if gone is None or _shape(gone) != shape else padding_of(gone)
    for cid in tables.catalog.of_tree(row.id):
        data = tables.catalog.manifest(cid)
        manifest = None if data is None else decode_manifest(data)
        if manifest is None or _shape(manifest) != shape:
            continue
        claimed = padding_of(manifest)
        common = claimed if common is None else _common(common, claimed)
        hull = claimed if not hull else _hull(hull, claimed)
    return _Claims(common or range(0), hull)


def _shape(manifest: Manifest) -> tuple[int, int]:
    return manifest.block_count, manifest.block_size


def _common(one: range, other: range) -> range:
    return range(max(one.start, other.start), min(one.stop, other.stop))


def _hull(one: range, other: range) -> range:
    if not other:
        return one
    return range(min(one.start, other.start), max(one.stop, other.stop))


def _pages(leaves: range) -> range:
    return (
        range(leaves.start // PAGE_LEAVES, -(-leaves.stop // PAGE_LEAVES)) if leaves else range(0)
    )


def _within(leaves: range, number: int) -> range:
    """Those in page `number`, counted within it."""
    base = number * PAGE_LEAVES
    return range(max(leaves.start - base, 0), min(leaves.stop - base, PAGE_LEAVES))
