"""Tasks and futures that know their owner and hash by serial number.

asyncio keeps tasks in sets (`asyncio.wait`, `TaskGroup`) and iterates over them. The usual hash is
the memory address, so the order of cancellations would differ between two runs of one seed. A
serial number makes those sets iterate in the same order every time.

The *owner* is the simulated node on whose behalf a task runs. It is a context variable, so every
task and callback that a node starts inherits it; a crash finds its victims by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context, ContextVar
from types import CodeType
from typing import Any, TypeVar

OWNER: ContextVar[str] = ContextVar("quire_sim_owner", default="")

T = TypeVar("T")


class SimFuture(asyncio.Future[T]):
    """A future with a reproducible hash."""

    def __init__(self, *, loop: asyncio.AbstractEventLoop, serial: int) -> None:
        self.serial = serial
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.serial


class SimTask(asyncio.Task[T]):
    """A task with a reproducible hash and name, and the node that it belongs to."""

    def __init__(
        self,
        coro: Coroutine[Any, Any, T],
        *,
        loop: asyncio.AbstractEventLoop,
        serial: int,
        name: str | None,
        context: Context | None,
    ) -> None:
        self.serial = serial
        self.owner = OWNER.get() if context is None else context.get(OWNER, "")
        super().__init__(coro, loop=loop, name=name or f"task-{serial}", context=context)

    def __hash__(self) -> int:
        return self.serial


def where(task: asyncio.Task[Any]) -> str:
    """`name waits in function (file:line)`, for the innermost coroutine that can be seen."""
    innermost: Any = task.get_coro()
    while True:
        awaited = getattr(innermost, "cr_await", None) or getattr(innermost, "ag_await", None)
        if not (hasattr(awaited, "cr_frame") or hasattr(awaited, "ag_frame")):
            break
        innermost = awaited
    frame = getattr(innermost, "cr_frame", None) or getattr(innermost, "ag_frame", None)
    code: CodeType | None = frame.f_code if frame is not None else None
    if frame is None or code is None:
        return f"{task.get_name()} ended or cannot be seen"
    file = code.co_filename.replace("\\", "/").rsplit("/", 1)[-1]
    return f"{task.get_name()} waits in {code.co_qualname} ({file}:{frame.f_lineno})"
