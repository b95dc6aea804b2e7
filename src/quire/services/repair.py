"""Gets damaged blocks back, for datasets that are still kept: those of a protected dataset from the
rows that are here, where they suffice, all others from other nodes."""

from __future__ import annotations

import asyncio

from quire.base.clock import Clock
from quire.base.errors import QuireError
from quire.base.events import EventBus
from quire.flow.assemble import Assembler
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
        healed = 0
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
        if healed:
            self._events.publish(
                "repair.done",
                subject,
                f"{healed} damaged blocks are good again",
                blocks=healed,
            )
