"""A block that fails its hash counts as missing, everywhere and durably."""

from __future__ import annotations

from dataclasses import dataclass

from quire.formats.cid import block_cid
from quire.store.committer import Change
from quire.store.core import Core
from quire.store.meta import Tables
from quire.store.shape import PAGE_LEAVES


@dataclass(frozen=True, slots=True)
class Suspect:
    """A block whose bytes at `place` do not match its digest."""

    digest: bytes
    place: int
    tree_id: int | None  # where it was met; None when it was read by its CID
    leaf: int | None


@dataclass(frozen=True, slots=True)
class Loss:
    """A leaf that is not present any more."""

    tree_id: int
    root: bytes | None
    leaf: int


@dataclass(frozen=True, slots=True)
class Quarantined:
    digests: list[bytes]
    losses: list[Loss]

    def __bool__(self) -> bool:
        return bool(self.digests)


def quarantine_change(core: Core, suspects: list[Suspect]) -> Change[Quarantined]:
    """Take bad blocks out of the index, and their leaves out of every tree.

    A suspect that the index has at another place, or not at all, was deleted or fetched anew while
    it was being read: it is left alone. An empty outcome means that this is true of all."""

    def apply(tables: Tables) -> Quarantined:
        outcome, now = Quarantined([], []), core.clock.now()
        shared: list[bytes] = []
        where: dict[tuple[int, int], list[bytes]] = {}
        for each in suspects:
            leaf_count = tables.blocks.expel(each.digest, each.place)
            if leaf_count is None:
                continue
            outcome.digests.append(each.digest)
            if leaf_count == 1 and each.tree_id is not None and each.leaf is not None:
                page = (each.tree_id, each.leaf // PAGE_LEAVES)
                where.setdefault(page, []).append(each.digest)
            else:
                shared.append(each.digest)
        for page, digest in tables.trees.pages_with(shared):
            where.setdefault(page, []).append(digest)
        for (tree_id, number), digests in where.items():
            outcome.losses.extend(_unmark(tables, tree_id, number, set(digests), now))
        return outcome

    def done(outcome: Quarantined) -> None:
        for digest in outcome.digests:
            cid = str(block_cid(digest))
            core.events.publish(
                "store.block-corrupt", cid, "the block failed its hash and counts as missing now"
            )
        for loss in outcome.losses:
            core.trees.lose(loss.tree_id, loss.root, loss.leaf)

    return Change(apply, weight=PAGE_LEAVES, frees_space=True, done=done)


def _unmark(
    tables: Tables, tree_id: int, number: int, digests: set[bytes], now: float
) -> list[Loss]:
    row = tables.trees.by_id(tree_id)
    page = tables.trees.load_page(tree_id, number, None if row is None else row.shape)
    if row is None or page is None:
        return []
    here = [i for i in range(page.leaf_count) if page.has(i) and page.digest(i) in digests]
    for index in here:
        page.unmark(index)
    if here:
        tables.trees.save_page(page, page.settle())
        tables.trees.add_present(tree_id, -len(here))
        tables.damage.add(tree_id, [number * PAGE_LEAVES + index for index in here], now)
    return [Loss(tree_id, row.root, number * PAGE_LEAVES + index) for index in here]
