"""Gets damaged blocks back, for datasets that are still kept: those of a protected dataset from the
rows that are here, where they suffice, all others from other nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from quire.base.clock import Clock
from quire.base.errors import QuireError
from quire.base.events import EventBus
from quire.base.ranges import RangeSet
from quire.dataset.geometry import Geometry
from quire.flow.assemble import Assembler, is_decodable
from quire.flow.slot_state import held_slots, is_kept_whole, unfinished_name
from quire.store.dataset import Dataset
from quire.store.scan import Wound
from quire.store.store import Store

RANGE_SECONDS = 60.0  # for one range of blocks; others come again with the next attempt


class Repairer:
    """One attempt at a time. What was repaired is taken off the store's list by the store."""

    def __init__(self, store: Store, assembler: Assembler, clock: Clock, events: EventBus) -> None:
        self._store = store
        self._assembler = assembler
        self._clock = clock
        self._events = events
        self._lock = asyncio.Lock()

    async def repair(self) -> None:
        """Get back everything that was lost; what nobody has stays lost."""
        async with self._lock:
            for wound in await self._store.wounds():
                until = wound.dataset.kept_until
                if until is None or until > self._clock.now():
                    await self._heal(wound)

    async def _heal(self, wound: Wound) -> None:
        dataset = wound.dataset
        subject = str(dataset.manifest_cid)
        healed, before = 0, self._present(dataset)
        with self._store.holding(dataset.tree_root):
            for start, stop in wound.leaves:
                deadline = self._clock.monotonic() + RANGE_SECONDS
                try:
                    await self._assembler.ensure(dataset, start, stop - start, deadline)
                except QuireError as error:
                    self._events.publish(
                        "repair.failed",
                        subject,
                        f"damaged blocks {start} to {stop - 1} are not to be had: {error.message}",
                    )
                    break
                healed += stop - start
        await self._tidy(dataset, before, wound.leaves)
        if healed:
            self._events.publish(
                "repair.done",
                subject,
                f"{healed} damaged blocks are good again",
                blocks=healed,
            )

    async def _tidy(
        self, dataset: Dataset, before: RangeSet, wanted: Iterable[tuple[int, int]]
    ) -> None:
        """Where only slots are held: give up the blocks from which others were computed."""
        gained = self._present(dataset).minus(before).minus(RangeSet(wanted))
        now = await self._store.dataset(dataset.manifest_cid) if gained else None
        if now is None or is_kept_whole(now) or not is_decodable(now):
            return
        geometry, held = Geometry.of(now.manifest), held_slots(now)
        names = [root.name for root in now.roots]
        for slot in range(geometry.slots):
            if slot in held or unfinished_name(slot) in names:
                row = geometry.row_range(slot)
                gained.remove(row.start, row.stop)
        for start, stop in gained:
            await self._store.shed(dataset.tree_root, start, stop - start)

    def _present(self, dataset: Dataset) -> RangeSet:
        tree = self._store.tree(dataset.tree_root)
        return RangeSet() if tree is None else tree.present
