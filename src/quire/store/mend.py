"""Puts the index right where its parts do not agree, in one transaction.

What counts is what the pages of the trees say and where the blocks table has the blocks; counters
follow from these. A leaf whose block is not in the table is lost, and noted as damage.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from quire.store.audit import audit
from quire.store.committer import Change
from quire.store.core import Core
from quire.store.meta import Tables
from quire.store.shape import PAGE_LEAVES
from quire.store.trees import TreeRow


@dataclass(slots=True)
class Mended:
    """What was wrong, in words, and what still is after the repair."""

    problems: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    touched: list[tuple[int, bytes]] = field(default_factory=list)  # trees: id, root


def mend_change(core: Core) -> Change[Mended]:
    """Nothing is changed when nothing is wrong. Others wait while the index is being checked."""

    def apply(tables: Tables) -> Mended:
        mended = Mended(audit(core, tables, read_blocks=False).problems)
        if mended.problems:
            _mend(core, tables, mended)
            mended.left = audit(core, tables, read_blocks=False).problems
        return mended

    def done(mended: Mended) -> None:
        for tree_id, root in mended.touched:
            core.trees.forget(tree_id, root)

    return Change(apply, weight=PAGE_LEAVES, frees_space=True, done=done)


def _mend(core: Core, tables: Tables, mended: Mended) -> None:
    rows = {digest: place for digest, place, _, _ in tables.blocks.every()}
    leaves: Counter[bytes] = Counter()
    for tree in tables.trees.every():
        present, lost, is_changed = _mend_tree(tables, tree, rows, leaves, core.clock.now())
        if tree.root is None:
            tables.trees.add_present(tree.id, -lost)  # whoever is making it has to begin anew
        else:
            tables.trees.add_present(tree.id, present - tree.present_count)
            if is_changed or present != tree.present_count:
                mended.touched.append((tree.id, tree.root))
    tables.blocks.set_leaves(leaves)
    tables.blocks.recount()
    tables.catalog.recount()
    tables.catalog.settle_all()


def _mend_tree(
    tables: Tables, tree: TreeRow, rows: dict[bytes, int], leaves: Counter[bytes], now: float
) -> tuple[int, int, bool]:
    """(present leaves, lost leaves, whether a page was changed) of a tree whose pages say where
    blocks are."""
    present, lost_count, was_changed = 0, 0, False
    shape = tree.shape if tree.leaf_count else None
    for page in tables.trees.present_pages(tree.id):
        lost, is_changed = [], False
        for index in range(page.leaf_count):
            digest = page.digest(index)
            if not page.is_stored(index):
                continue
            place = rows.get(digest)
            if place is None:
                page.unmark(index)
                lost.append(page.number * PAGE_LEAVES + index)
            else:
                leaves[digest] += 1
                is_changed = is_changed or page.places[index] != place
                page.places[index] = place
        if lost or is_changed:
            whole = tables.trees.load_page(tree.id, page.number, shape)
            if whole is not None:
                whole.present, whole.places = page.present, page.places
                tables.trees.save_page(whole, whole.settle() if shape is not None else None)
            tables.damage.add(tree.id, lost, now)
            lost_count += len(lost)
            was_changed = True
        present += page.present_count()
    return present, lost_count, was_changed
