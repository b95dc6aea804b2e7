"""A world of simulated nodes, one seed, and the faults that befall it.

What the nodes promised is kept here too: a dataset that a node has acknowledged must read back from
it after every restart, whatever happened in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from quire.base.errors import Bug, DiskFull, EnvironmentProblem
from quire.formats.cid import Cid
from quire.net.memory import MemoryNetwork
from quire.sim.checks import Watch, check_acknowledged, check_node, check_nothing_left
from quire.sim.clock import SimClock
from quire.sim.faults import Fault, FaultKind
from quire.sim.loop import START_SECONDS, SimLoop
from quire.sim.net import Manner, Weather
from quire.sim.node import NodeDown, NodeSizes, SimNode, Surroundings
from quire.sim.rng import Streams
from quire.sim.tally import Tally
from quire.sim.trace import Trace
from quire.sim.trouble import Trouble

LOOK_SECONDS = 2.0


class World:
    """All nodes of one run. Build it inside the running loop."""

    def __init__(self, streams: Streams, loop: SimLoop) -> None:
        self.clock = SimClock(loop)
        self.trace = Trace(self.clock)
        self.tally = Tally(runs=1)
        self.weather = Weather(streams, self.tally)
        self.network = MemoryNetwork(self.clock, self.weather.link)
        self.nodes: dict[str, SimNode] = {}
        self.on_started: Callable[[SimNode], Awaitable[None]] = self._check_promises
        self._around = Surroundings(
            loop, streams, self.network, self.weather, self.trace, self.tally
        )
        self._trouble = Trouble(self.network, self.trace, self.tally, streams, self.start)
        self._loop = loop
        self._acknowledged: dict[str, dict[Cid, bytes]] = {}
        self._watch = Watch(self.nodes, self.clock)
        self.trace.record("world", "wires", "", str(self.weather.traits))

    # ---- nodes ----

    def add(self, name: str, sizes: NodeSizes, manners: Manner | None = None) -> SimNode:
        """A new node with a blank disk; nodes know the addresses of all others.

        With `manners` it misbehaves in what it serves.
        """
        address = f"/ip4/10.0.0.{len(self.nodes) + 1}/tcp/8070"
        node = self.nodes[name] = SimNode(name, address, self._around, sizes, manners=manners)
        for each in self.nodes.values():
            each.neighbours = tuple(n for n in self.nodes.values() if n is not each)
        if manners is not None:
            self.trace.record(name, "manners", "", str(manners))
        return node

    async def start(self, node: SimNode) -> None:
        """Start a node unless it runs or is gone for good; check what it had promised."""
        if node.life is not None or node.is_retired:
            return
        try:
            await node.start()
            await self.on_started(node)
        except NodeDown:
            self.trace.record(node.name, "node.start", "", "went down while it was starting")
        except (DiskFull, EnvironmentProblem) as problem:  # the fault that caused it will end
            self.trace.record(node.name, "node.start", "", problem.message)
            node.crash(loses_power=False)

    def retire(self, node: SimNode, *, notice_seconds: float = 0.0) -> None:
        """The node dies and never comes back."""
        node.is_retired = True
        node.crash(loses_power=True, notice_seconds=notice_seconds)

    async def bring_back(self, node: SimNode) -> None:
        """A node that was retired starts again, on what its disk held."""
        node.is_retired = False
        await self.start(node)

    def acknowledge(self, node: SimNode, cid: Cid, content: bytes) -> None:
        """The node has said that it holds this; from now on it has to."""
        self._acknowledged.setdefault(node.name, {})[cid] = content

    def forget(self, node: SimNode, cid: Cid) -> None:
        """The node need not hold it any more."""
        self._acknowledged.get(node.name, {}).pop(cid, None)

    async def _check_promises(self, node: SimNode) -> None:
        promised = self._acknowledged.get(node.name, {})
        await check_acknowledged(node, promised)
        for content in promised.values():
            self.note_checked(content)

    # ---- time ----

    async def until(self, what: str, is_so: Callable[[], bool], seconds: float) -> None:
        """Wait for something that has to come true. Raises `Bug` when it does not within
        `seconds`."""
        end = self.now() + seconds
        while not is_so():
            if self.now() > end:
                raise Bug(f"not {what} after {seconds:.0f} s")
            await asyncio.sleep(LOOK_SECONDS)

    def now(self) -> float:
        return self.clock.monotonic()

    async def suffer(self, faults: Sequence[Fault]) -> None:
        """Let the faults happen, wait until all have ended, then calm the wires."""
        started = self.now()
        async with asyncio.TaskGroup() as group:
            for index, fault in enumerate(faults):
                group.create_task(self._suffer_one(fault, started), name=f"fault-{index}")
        self.weather.is_calm = True
        for node in self.nodes.values():
            node.machine.disk.calm()
            await self.start(node)

    def damage(self, node: SimNode, kind: FaultKind) -> None:
        """The medium of a node loses some of what it holds."""
        self._trouble.damage(node, Fault(0.0, kind, (node.name,), steps=1))

    def note_checked(self, content: bytes) -> None:
        """A dataset was compared with what had been uploaded."""
        self.tally.checked_datasets += 1
        self.tally.checked_bytes += len(content)

    async def _suffer_one(self, fault: Fault, started: float) -> None:
        await asyncio.sleep(max(0.0, started + fault.at - self.now()))
        await self._trouble.suffer(fault, [self.nodes[name] for name in fault.nodes])

    # ---- the end ----

    async def watch(self) -> None:
        """Look at the promises that must hold at all times, until cancelled."""
        await self._watch.run()

    async def finish(self) -> None:
        """Check every node, lose its power once more, check again, stop it: nothing may be left."""
        for node in self.nodes.values():
            if node.is_retired:
                continue
            await check_node(node)
            node.crash(loses_power=True)
            await node.start()
            await self.on_started(node)
            await check_node(node)
            await node.stop()

    def awaited(self) -> str:
        """Where every task waits."""
        return self._loop.awaited()

    def check_nothing_left(self) -> None:
        """Every task has ended and no error was lost."""
        check_nothing_left(self._loop)

    def close(self) -> None:
        """Let go of the databases of all lives, and sum up."""
        self.tally.virtual_seconds = self._loop.time() - START_SECONDS
        for node in self.nodes.values():
            node.close()
