"""What happens to one upload and to its links, as it happens."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable

from quire.base.events import Event, EventBus

QUEUED_EVENTS = 1024  # of one reader; one that is slower loses the oldest


async def follow(bus: EventBus, is_ours: Callable[[Event], bool]) -> AsyncGenerator[Event, None]:
    """Events from now on, in order, until the reader stops."""
    queue: deque[Event] = deque(maxlen=QUEUED_EVENTS)
    wake = asyncio.Event()

    def take(event: Event) -> None:
        if is_ours(event):
            queue.append(event)
            wake.set()

    unlisten = bus.listen(take)
    try:
        while True:
            while queue:
                yield queue.popleft()
            wake.clear()
            await wake.wait()
    finally:
        unlisten()
