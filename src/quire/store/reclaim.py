"""Gives back to the disk what nothing refers to any more, a slice at a time.

    condemned tree -> its pages, slice by slice -> blocks without leaves -> freed extents -> holes

Each arrow is a durable step, so that a crash anywhere only means to go on later. Slices are short,
so that writers wait for one at most.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from quire.base.errors import DiskFull, QuireError
from quire.store.committer import Change
from quire.store.core import Core
from quire.store.extents import Extent
from quire.store.meta import Tables
from quire.store.page import LeafPage
from quire.store.shape import PAGE_LEAVES

SLICE_PAGES = 2
SMALL_PAGES = 64  # pages of few leaves that take as long as a full one, roughly
PUNCHES_MAX = 256  # holes made between two transactions


@dataclass(slots=True)
class _Slice:
    """What one step of taking apart has done."""

    has_done: bool = False
    removed: list[int] = field(default_factory=list)  # trees


class Reclaimer:
    """Works in the background while there is something to do."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._task: asyncio.Task[None] | None = None
        self._is_due = False
        self._is_stopped = False
        self._has_held = False  # condemned trees that somebody reads
        self._has_orphans = False  # blocks without leaves that a running write still counts on

    def wake(self) -> None:
        """There may be something to do."""
        self._is_due = True
        if self._is_stopped or (self._task is not None and not self._task.done()):
            return
        self._task = asyncio.get_running_loop().create_task(self._work(), name="store reclaimer")

    def write_ended(self) -> None:
        """A write that may have pinned blocks is over."""
        if self._has_orphans:
            self.wake()

    def hold_ended(self) -> None:
        """Nobody reads some tree any more."""
        if self._has_held:
            self._has_held = False
            self.wake()

    async def idle(self) -> None:
        """Everything that could be given back has been."""
        while self._task is not None and not self._task.done():
            await asyncio.wait([self._task])

    async def stop(self) -> None:
        """End after the current step; what is left is done after the next start."""
        self._is_stopped = True
        await self.idle()

    async def _work(self) -> None:
        try:
            while self._is_due and not self._is_stopped:
                self._is_due = False
                while not self._is_stopped and await self._dismantle():
                    await self._punch()
                while not self._is_stopped and await self._punch():
                    pass
                await self._core.off_loop(self._core.ballast.keep)
        except QuireError as error:
            self._core.events.publish(
                "store.reclaim-stopped",
                "",
                f"deleted data still takes space: {error}; it goes with the next deletion",
            )

    async def _dismantle(self) -> bool:
        """One slice of condemned trees, or blocks without leaves; False when there are none."""
        try:
            return (await self._core.committer.run(self._slice(SLICE_PAGES))).has_done
        except DiskFull:
            return (await self._core.committer.run(self._slice(1))).has_done

    def _slice(self, pages_max: int) -> Change[_Slice]:
        def done(outcome: _Slice) -> None:
            self._core.pins.spare()
            for tree_id in outcome.removed:
                self._core.trees.forget_all_pages(tree_id)  # the id may be used again

        return Change(
            lambda tables: self._take_apart(tables, pages_max),
            weight=pages_max * PAGE_LEAVES,
            frees_space=True,
            done=done,
            failed=lambda _: self._core.pins.spare(),
        )

    def _take_apart(self, tables: Tables, pages_max: int) -> _Slice:
        """Up to so many pages of condemned trees; a tree of few leaves counts little."""
        self._has_held = True  # before asking, so that a hold that ends just now wakes us
        held = self._core.holds.tree_ids()
        self._has_held = self._has_held and bool(held)
        outcome = _Slice()
        leaves_left, steps_left = pages_max * PAGE_LEAVES, pages_max * SMALL_PAGES
        while leaves_left > 0 and steps_left > 0:
            row = tables.trees.condemned(held)
            if row is None:
                outcome.has_done = self._release_orphans(tables) or outcome.has_done
                break
            outcome.has_done = True
            page = tables.trees.first_page(row.id)
            if page is None:
                tables.trees.remove(row.id)
                outcome.removed.append(row.id)
            else:
                self._release(tables, page, row.block_size)
                tables.trees.remove_page(page)
                leaves_left -= page.leaf_count
            steps_left -= 1
        return outcome

    def _release_orphans(self, tables: Tables) -> bool:
        orphans = tables.blocks.orphans()
        pinned = self._core.pins.condemn(orphans)
        gone = [digest for digest in orphans if digest not in pinned]
        self._has_orphans = len(pinned) > 0
        tables.blocks.release_orphans(gone)
        return bool(gone)

    def _release(self, tables: Tables, page: LeafPage, block_size: int) -> None:
        present = {}
        counts: Counter[bytes] = Counter()
        for index in range(page.leaf_count):
            digest = page.digest(index)
            if page.is_stored(index):
                present[digest] = page.places[index]
                counts[digest] += 1
        pinned = self._core.pins.condemn(counts)
        self._has_orphans = self._has_orphans or len(pinned) > 0
        tables.blocks.release(
            {digest: (present[digest], n) for digest, n in counts.items()}, block_size, pinned
        )

    async def _punch(self) -> bool:
        """Make holes of freed extents, remove empty packs; False when there was nothing to do."""
        core = self._core
        freed, has_empty = await core.off_loop(self._look)
        if not freed and not has_empty:
            return False
        await core.off_loop(self._make_holes, freed)

        def apply(tables: Tables) -> list[int]:
            tables.extents.forget_freed(freed)
            return tables.extents.remove_empty()

        packs = frozenset(extent.pack for extent in freed)
        removed = await core.committer.run(Change(apply, packs, frees_space=True))
        for pack in removed:
            await core.off_loop(core.packs.remove, pack)
        return True

    def _look(self) -> tuple[list[Extent], bool]:
        extents = self._core.meta.reading.extents
        return extents.freed(PUNCHES_MAX), extents.has_empty()

    def _make_holes(self, extents: list[Extent]) -> None:
        for extent in extents:
            self._core.packs.punch(extent)
