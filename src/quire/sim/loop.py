"""An asyncio event loop whose time is virtual.

Whenever nothing is ready to run, time jumps to the next timer. There are no sockets and no threads:
all that reaches a program from outside is a timer set by the simulated network, disk or fault
schedule, so the order of everything follows from the seed. When nothing is ready, no timer is set
and the main coroutine has not ended, nobody will ever wake it: that is reported with the place
where each task waits. The order of `call_soon` is asyncio's own: first in, first out.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Executor
from contextvars import Context
from typing import Any, NoReturn, TypeVar, TypeVarTuple

from quire.base.errors import Bug
from quire.base.invariant import invariant
from quire.sim.executor import Lanes
from quire.sim.tasks import SimFuture, SimTask, origin, where

START_SECONDS = 1000.0  # not zero, so that a mix-up of monotonic and calendar time shows
TURNS_WITHOUT_TIME_MAX = 200_000  # more than this at one instant is a busy loop
CANCEL_ROUNDS = 8  # at the end of a run that failed
RUN_SECONDS_MAX = 30 * 86_400.0

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class SimLoop(asyncio.BaseEventLoop):
    """Virtual time, no I/O, reproducible order.

    `failures` gathers what asyncio reports to its exception handler: exceptions that nobody
    retrieved, tasks that were dropped while pending. A run that leaves any has a bug.
    """

    _scheduled: list[asyncio.TimerHandle]  # asyncio's own heap of timers

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.failures: list[str] = []
        self._seconds = START_SECONDS
        self._turns = 0
        self._serial = 0
        self._dead: dict[str, None] = {}
        self._thread = threading.get_ident()
        self._selector = _Idle(self)
        self._lanes = Lanes(self, rng)
        self.set_exception_handler(self._note_failure)

    def time(self) -> float:
        return self._seconds

    def idle(self, timeout: float | None) -> None:
        """Called by asyncio once a turn, where a real loop would poll its sockets."""
        if timeout == 0:
            self._turns += 1
            if self._turns > TURNS_WITHOUT_TIME_MAX:
                raise Bug(
                    f"busy loop: {self._turns} turns without time passing at "
                    f"{self._seconds:.6f} s; {self.awaited()}"
                )
            return
        self._turns = 0
        if timeout is None:
            raise Bug(
                f"deadlock at {self._seconds:.6f} s: nothing is ready and no timer is set; "
                f"{self.awaited()}"
            )
        self._seconds = max(self._seconds, self._scheduled[0].when())
        if self._seconds > START_SECONDS + RUN_SECONDS_MAX:
            raise Bug(f"the run passed {RUN_SECONDS_MAX} virtual seconds; {self.awaited()}")

    def awaited(self) -> str:
        """Where every task that has not ended waits."""
        tasks = self.tasks()
        return "; ".join(where(task) for task in tasks) if tasks else "no task is left"

    def tasks(self, owner: str | None = None) -> list[SimTask[Any]]:
        """Tasks that have not ended, of one owner or of all, oldest first."""
        alive = [t for t in asyncio.all_tasks(self) if isinstance(t, SimTask)]
        return sorted(
            (t for t in alive if owner is None or t.owner == owner), key=lambda t: t.serial
        )

    def end_owner(self, owner: str) -> None:
        """Cancel every task of an owner, also those that are still to be created."""
        self._dead[owner] = None
        for task in self.tasks(owner):
            task.cancel()

    def create_future(self) -> asyncio.Future[Any]:
        self._serial += 1
        return SimFuture(loop=self, serial=self._serial)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: Context | None = None,
    ) -> SimTask[T]:
        self._serial += 1
        named = None if name is None else str(name)
        task = SimTask(coro, loop=self, serial=self._serial, name=named, context=context)
        if task.owner in self._dead:
            task.cancel()  # before its first step
        return task

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run `func` on this thread at a drawn moment soon; see `executor.Lanes`."""
        return self._lanes.submit(executor, func, *args)

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        invariant(
            threading.get_ident() == self._thread,
            "a thread called into the simulation; off-loop work goes through run_in_executor",
        )
        return self.call_soon(callback, *args, context=context)

    def _note_failure(self, _loop: asyncio.AbstractEventLoop, facts: dict[str, Any]) -> None:
        error, task = facts.get("exception"), facts.get("future") or facts.get("task")
        if isinstance(task, SimTask) and task.owner in self._dead:
            return  # its node is gone, so nobody is left to retrieve it
        whose = f" of {origin(task)}" if isinstance(task, asyncio.Task) else ""
        self.failures.append(f"{facts.get('message')}{whose}: {error!r}")

    def _process_events(self, _events: list[object]) -> None:
        """There are no events from outside."""

    def _write_to_self(self) -> None:
        """There is no other thread to be woken from."""


class _Idle:
    """What asyncio takes for a selector."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[object]:
        self._loop.idle(timeout)
        return []


def _refuse(name: str) -> Callable[..., NoReturn]:
    def refuse(*_args: object, **_options: object) -> NoReturn:
        raise Bug(
            f"loop.{name} was called in a simulation, where there is no real I/O; go through a port"
        )

    return refuse


for _name in (
    "add_reader",
    "remove_reader",
    "add_writer",
    "remove_writer",
    "add_signal_handler",
    "remove_signal_handler",
    "connect_accepted_socket",
    "connect_read_pipe",
    "connect_write_pipe",
    "create_connection",
    "create_datagram_endpoint",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "getaddrinfo",
    "getnameinfo",
    "sendfile",
    "set_default_executor",
    "sock_accept",
    "sock_connect",
    "sock_recv",
    "sock_recv_into",
    "sock_recvfrom",
    "sock_recvfrom_into",
    "sock_sendall",
    "sock_sendfile",
    "sock_sendto",
    "start_tls",
    "subprocess_exec",
    "subprocess_shell",
):
    setattr(SimLoop, _name, _refuse(_name))


def run(loop: SimLoop, main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end on a fresh loop, then cancel what is left and close the loop."""
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(main)
    finally:
        try:
            _cancel_rest(loop)
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _cancel_rest(loop: SimLoop) -> None:
    for _ in range(CANCEL_ROUNDS):  # what is cancelled may begin something else
        rest = loop.tasks()
        if not rest:
            break
        for task in rest:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
