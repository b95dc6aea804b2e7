"""A simulated node through all its lives: started, stopped, killed, started again.

A *life* is the time between a start and an end. Everything a life does runs in tasks that it owns.
When it is cut off, its machine is fenced first (nothing it still does reaches the disk that the
next life finds), its connections end, and then its tasks are cancelled: what their clean-up code
does happens in a world that no longer matters.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

from quire.base.errors import Refused
from quire.base.events import EventBus
from quire.base.invariant import invariant
from quire.base.waits import Waits
from quire.net.memory import MemoryNetwork
from quire.net.transport import Address, PeerId
from quire.node.parts import Ground as Shared
from quire.sim.clock import SimClock
from quire.sim.loop import SimLoop
from quire.sim.machine import Machine
from quire.sim.net import Manner, SimTransport, Weather, peer_id_named
from quire.sim.parts import Ground, Parts, start_parts
from quire.sim.rng import Streams
from quire.sim.tally import Tally
from quire.sim.tasks import OWNER
from quire.sim.trace import Trace

T = TypeVar("T")
# Starts what a node runs beside its parts, on them; what stops that, with its deadline.
Services = Callable[[Parts], Coroutine[Any, Any, Callable[[float], Awaitable[object]]]]


class NodeDown(Refused):
    """The simulated node is not running, or stopped running while it was asked."""

    code, retry = "node-down", True


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all nodes of one world share."""

    loop: SimLoop
    streams: Streams
    network: MemoryNetwork
    weather: Weather
    trace: Trace
    tally: Tally


@dataclass(frozen=True, slots=True)
class NodeSizes:
    """How much a node's machine holds, and how much of it the node may use."""

    disk_bytes: int
    quota_bytes: int


@dataclass(slots=True)
class Life:
    """From one start to one end."""

    owner: str
    context: Context
    ground: Ground
    parts: Parts | None = None
    is_over: bool = False
    calls: dict[asyncio.Task[Any], None] = field(default_factory=dict)  # by users, under way


class SimNode:
    """One node: its machine, its identity, and the life it is in."""

    def __init__(
        self,
        name: str,
        address: Address,
        around: Surroundings,
        sizes: NodeSizes,
        *,
        manners: Manner | None = None,
    ) -> None:
        self.name = name
        self.clock = SimClock(around.loop)
        self.manners = manners
        self.slow_until = 0.0  # monotonic seconds: its disk was slow, or is
        self.has_damage = False  # its medium lost or changed data that had been durable
        self.address = address
        self.life: Life | None = None
        self.lives = 0
        self.neighbours: tuple[SimNode, ...] = ()
        self.machine = Machine.blank(
            around.streams.stream(f"{name}/disk"),
            capacity_bytes=sizes.disk_bytes,
            on_fault=self._count_fault,
        )
        self.quota_bytes = sizes.quota_bytes
        self.services: Services | None = None  # what it runs beside its parts
        self.is_retired = False  # gone for good: nothing starts it again
        self.peer_id: PeerId = peer_id_named(around.streams.stream(f"{name}/key"))
        self._around = around
        self._old_machines: list[Machine] = []
        self._crash_rng = around.streams.stream(f"{name}/crash")

    # ---- life ----

    async def start(self) -> None:
        """Begin a life on what the last one left behind."""
        invariant(self.life is None, f"{self.name} runs already")
        if self.lives:
            self._old_machines.append(self.machine)
            self.machine = Machine(
                self.machine.cut(loses_power=False), self._crash_rng, self._count_fault
            )
        self.lives += 1
        life = self.life = self._new_life()
        self._note("node.start", f"life {self.lives}")
        parts = await self._run(life, start_parts(life.ground))
        if self.services is not None:
            parts.stops.append(await self._run(life, self.services(parts)))
        life.parts = parts

    async def stop(self) -> None:
        """An orderly end."""
        life = self._living()
        if life.parts is None:  # still starting: there is no order to end in
            self.crash(loses_power=False)
            return
        for call in list(life.calls):  # the faces stop first
            call.cancel()
        if life.calls:
            await asyncio.wait(list(life.calls))
        await self._run(life, life.parts.stop())
        self._note("node.stop", "orderly")
        self._around.tally.ends["orderly"] += 1
        life.is_over = True
        self.life = None

    def crash(self, *, loses_power: bool, notice_seconds: float = 0.0) -> None:
        """End the life at this instant. The others see it after `notice_seconds`."""
        life = self.life
        if life is None:
            return
        self._note("node.crash", "power was lost" if loses_power else "the process was killed")
        self._around.tally.ends["power" if loses_power else "process"] += 1
        life.is_over = True
        self.life = None
        self.machine.cut(loses_power=loses_power)
        if self._around.network.node(self.peer_id) is life.ground.transport:
            self._around.network.crash(self.peer_id, notice_seconds)
        self._around.loop.end_owner(life.owner)

    def crash_at_step(
        self, steps_from_now: int, on_crash: Callable[[], None]
    ) -> Callable[[], None]:
        """Lose power in the middle of the disk's work, then call `on_crash`. Returns what calls
        this off."""
        machine = self.machine

        def cut() -> None:
            self.crash(loses_power=True)
            on_crash()

        machine.cut_power_at(machine.steps + steps_from_now, cut)
        return machine.never_cut

    def close(self) -> None:
        """Let go of every database that a cut-off life left open."""
        for machine in (*self._old_machines, self.machine):
            machine.close()

    # ---- work ----

    async def call(self, work: Callable[[Parts], Coroutine[Any, Any, T]]) -> T:
        """Have the running node do `work`. Raises `NodeDown` when it is, or goes, down."""
        life = self._living()
        if life.parts is None:
            raise NodeDown(f"{self.name} is still starting")
        task = self._spawn(life, work(life.parts))
        life.calls[task] = None
        try:
            return await self._outcome(life, task)
        finally:
            del life.calls[task]

    async def _run(self, life: Life, work: Coroutine[Any, Any, T]) -> T:
        return await self._outcome(life, self._spawn(life, work))

    def _spawn(self, life: Life, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return self._around.loop.create_task(work, context=life.context.copy())

    async def _outcome(self, life: Life, task: asyncio.Task[T]) -> T:
        """What the task comes to, or `NodeDown` when the life ends before it."""
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
        if life.is_over or task.cancelled():
            if not task.cancelled():
                task.exception()  # seen: it does not count any more
            raise NodeDown(f"{self.name} went down")
        return task.result()

    def _living(self) -> Life:
        if self.life is None:
            raise NodeDown(f"{self.name} is down")
        return self.life

    def _new_life(self) -> Life:
        around = self._around
        owner = f"{self.name}#{self.lives}"
        context = copy_context()
        context.run(OWNER.set, owner)
        events = EventBus(self.clock)
        ground = Ground(
            shared=Shared(self.clock, around.streams.stream(owner), events, Waits(self.clock)),
            machine=self.machine,
            transport=SimTransport(
                around.network, self.peer_id, self.address, context, around.weather, self.manners
            ),
            quota_bytes=self.quota_bytes,
            neighbours=tuple((node.peer_id, node.address) for node in self.neighbours),
        )
        life = Life(owner, context, ground)
        events.listen(lambda e: None if life.is_over else around.trace.event(self.name, e))
        return life

    def _count_fault(self, kind: str) -> None:
        self._around.tally.faults[f"disk: {kind}"] += 1

    def _note(self, kind: str, message: str) -> None:
        self._around.trace.record(self.name, kind, "", message)
