"""Users of the simulator who do not give up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from quire.base.errors import Bug, QuireError
from quire.sim.node import NodeDown, SimNode
from quire.sim.parts import Parts
from quire.sim.world import World

T = TypeVar("T")

RETRY_SECONDS = 0.5


async def until_done(
    world: World, node: SimNode, what: str, work: Callable[[Parts], Coroutine[Any, Any, T]]
) -> T:
    """Repeat the work on the node until it succeeds. A `Bug` is never tried again."""
    while True:
        try:
            return await node.call(work)
        except Bug:
            raise
        except NodeDown:
            pass
        except QuireError as problem:
            world.trace.record(node.name, f"{what}.failed", "", problem.message)
        await asyncio.sleep(RETRY_SECONDS)
