"""The parts that every stage of the store shares, made once in `store.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeVar

from quire.base.clock import Clock
from quire.base.events import EventBus
from quire.store.ballast import Ballast
from quire.store.changes import Changes
from quire.store.committer import Committer
from quire.store.disk import Disk
from quire.store.holds import Holds
from quire.store.meta import Meta
from quire.store.packs import Packs
from quire.store.pins import Pins
from quire.store.quota import Quota
from quire.store.treecache import TreeCache
from quire.store.withheld import Withheld

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Core:
    disk: Disk
    meta: Meta
    packs: Packs
    pins: Pins
    holds: Holds
    quota: Quota
    ballast: Ballast
    committer: Committer
    trees: TreeCache
    changes: Changes
    clock: Clock
    events: EventBus
    executor: Executor | None
    withheld: Withheld

    async def off_loop(self, work: Callable[..., T], *values: Any) -> T:
        """Run blocking work in a worker thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.executor, work, *values)
