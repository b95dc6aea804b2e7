"""Work that ends when its client goes away, also while nothing is being sent to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web

LOOK_SECONDS = 0.25


@asynccontextmanager
async def while_connected(request: web.Request) -> AsyncGenerator[None, None]:
    """Cut the block short when the connection of the request ends. Raises ConnectionResetError.

    A timer looks now and then, which costs what is sent nothing."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    has_left = False
    timer: asyncio.TimerHandle

    def look() -> None:
        nonlocal timer, has_left
        if request.transport is None or request.transport.is_closing():
            has_left = True
            task.cancel()
        else:
            timer = loop.call_later(LOOK_SECONDS, look)

    timer = loop.call_later(LOOK_SECONDS, look)
    try:
        yield
    except asyncio.CancelledError:
        if has_left and not task.uncancel():
            raise ConnectionResetError("the client went away") from None
        raise
    finally:
        timer.cancel()
