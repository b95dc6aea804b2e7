"""One machine while it runs: its state, its effects, the wait for its deadline."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Coroutine
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Generic, TypeVar

from quire.base.errors import BadEncoding, QuireError
from quire.base.machine import Deadline

FORMAT = 1
_HEAD = struct.Struct(">Bd")  # format, when the present state was entered

State = TypeVar("State")


def encode_run(entered: float, state: bytes) -> bytes:
    """The record of a machine: when it came into its state (unix seconds), and the state."""
    return _HEAD.pack(FORMAT, entered) + state


def decode_run(data: bytes) -> tuple[float, bytes]:
    """What `encode_run` was given. Raises BadEncoding."""
    if len(data) < _HEAD.size:
        raise BadEncoding(f"the record of a machine has {len(data)} bytes, too few")
    found, entered = _HEAD.unpack_from(data)
    if found != FORMAT:
        raise BadEncoding(f"the record of a machine has format {found}, known is {FORMAT}")
    if not math.isfinite(entered):
        raise BadEncoding(f"a machine cannot have come into its state at {entered}")
    return entered, data[_HEAD.size :]


class MachineRun(Generic[State]):
    """`entered` in unix seconds; `trouble`: why an effect is being tried again."""

    def __init__(self, key: str, state: State, entered: float) -> None:
        self.key = key
        self.state = state
        self.entered = entered
        self.lock = asyncio.Lock()
        self.trouble: QuireError | None = None
        self.again: dict[object, None] = {}  # effects to be performed once more
        self.tasks: dict[asyncio.Task[None], None] = {}  # effects, and the telling of outcomes
        self.effects: dict[object, asyncio.Task[None]] = {}  # those that a new state stops
        self._armed: Deadline | None = None
        self._came: Deadline | None = None
        self._timer: asyncio.Task[None] | None = None
        self._wait = ExitStack()

    def begin(
        self, effect: object, work: Coroutine[Any, Any, None], name: str
    ) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.effects[effect] = task
        self.tasks[task] = None
        return task

    async def stop_effects(self) -> None:
        """Cancel the effects of the state that is left, and wait until they have let go."""
        tasks = list(self.effects.values())
        self.effects.clear()
        self.again.clear()
        self.trouble = None
        await _stop(tasks)

    async def stop(self) -> None:
        """Cancel everything."""
        self.disarm()
        await _stop(list(self.tasks))

    def is_new(self, deadline: Deadline) -> bool:
        """Whether it is not being watched and has not come."""
        return deadline not in (self._armed, self._came)

    def watch(
        self,
        deadline: Deadline,
        wait: AbstractContextManager[object],
        expire: Coroutine[Any, Any, None],
    ) -> None:
        """Register the wait; `expire` ends it."""
        self._armed = deadline
        self._wait.enter_context(wait)
        self._timer = asyncio.get_running_loop().create_task(expire, name="deadline of a machine")
        self.tasks[self._timer] = None
        self._timer.add_done_callback(self.forget)

    def expired(self) -> None:
        """The deadline that was watched has come."""
        if self._armed is not None and self._armed.chain_time is not None:
            self._came = self._armed
        self._armed = self._timer = None
        self._wait.close()

    def disarm(self) -> None:
        """Watch no deadline any more."""
        self._armed = None
        self._wait.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def forget(self, task: asyncio.Task[None]) -> None:
        """A task is over."""
        self.tasks.pop(task, None)


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    waited = [task for task in tasks if task is not asyncio.current_task()]
    for task in waited:
        task.cancel()
    if waited:
        await asyncio.wait(waited)
