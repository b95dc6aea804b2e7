"""Tasks and futures that know their owner and hash by serial number.

asyncio keeps tasks in sets (`asyncio.wait`, `TaskGroup`) and iterates over them. The usual hash is
the memory address, so the order of cancellations would differ between two runs of one seed. A
serial number makes those sets iterate in the same order every time.

The *owner* is the simulated node on whose behalf a task runs. It is a context variable, so every
task and callback that a node starts inherits it; a crash finds its victims by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextvars import Context, ContextVar
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
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
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
    """`name (owner) waits in outer > inner (file:line)`, as far as coroutines can be seen."""
    chain: list[Any] = []
    coroutine: Any = task.get_coro()
    while _frame(coroutine) is not None:
        chain.append(_frame(coroutine))
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
    owner = f" ({task.owner})" if isinstance(task, SimTask) and task.owner else ""
    if not chain:
        return f"{task.get_name()}{owner} ended or cannot be seen"
    names = " > ".join(frame.f_code.co_qualname for frame in chain)
    file = chain[-1].f_code.co_filename.replace("\\", "/").rsplit("/", 1)[-1]
    return f"{task.get_name()}{owner} waits in {names} ({file}:{chain[-1].f_lineno})"


def origin(task: asyncio.Task[Any]) -> str:
    """The function that a task runs or ran, with its owner."""
    owner = f" ({task.owner})" if isinstance(task, SimTask) and task.owner else ""
    return f"{getattr(task.get_coro(), '__qualname__', task.get_name())}{owner}"


def _frame(coroutine: Any) -> Any:
    return getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
