"""A world of simulated nodes, one seed, and the faults that befall it.

What the nodes promised is kept here too: a dataset that a node has acknowledged must read back from
it after every restart, whatever happened in between.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Sequence

from quire.base.errors import DiskFull, EnvironmentProblem
from quire.formats.cid import Cid
from quire.net.memory import MemoryNetwork
from quire.sim.checks import Watch, check_acknowledged, check_node, check_nothing_left
from quire.sim.clock import SimClock
from quire.sim.disk import PAGE_BYTES
from quire.sim.faults import Fault, FaultKind
from quire.sim.loop import SimLoop
from quire.sim.net import Weather
from quire.sim.node import NodeDown, NodeSizes, SimNode, Surroundings
from quire.sim.rng import Streams
from quire.sim.trace import Trace

STEP_FAULT_SECONDS = 20.0  # how long a fault waits for the disk to reach its step
SYNC_FAULT_SECONDS = 5.0  # from the failed sync until the operator starts the node again


class World:
    """All nodes of one run. Build it inside the running loop."""

    def __init__(self, streams: Streams, loop: SimLoop) -> None:
        self.clock = SimClock(loop)
        self.trace = Trace(self.clock)
        self.weather = Weather(streams)
        self.network = MemoryNetwork(self.clock, self.weather.link)
        self.nodes: dict[str, SimNode] = {}
        self._around = Surroundings(loop, self.clock, streams, self.network, self.trace)
        self._loop = loop
        self._acknowledged: dict[str, dict[Cid, bytes]] = {}
        self._watch = Watch(self.nodes, self.clock)

    # ---- nodes ----

    def add(self, name: str, sizes: NodeSizes, *, is_liar: bool = False) -> SimNode:
        """A new node with a blank disk; nodes know the addresses of all others.

        What a liar serves is altered on its way out.
        """
        address = f"/ip4/10.0.0.{len(self.nodes) + 1}/tcp/8070"
        node = self.nodes[name] = SimNode(name, address, self._around, sizes, is_liar=is_liar)
        for each in self.nodes.values():
            each.neighbours = tuple(n for n in self.nodes.values() if n is not each)
        return node

    async def start(self, node: SimNode) -> None:
        """Start a node unless it runs or is gone for good; check what it had promised."""
        if node.life is not None or node.is_retired:
            return
        try:
            await node.start()
            await check_acknowledged(node, self._acknowledged.get(node.name, {}))
        except NodeDown:
            self.trace.record(node.name, "node.start", "", "went down while it was starting")
        except (DiskFull, EnvironmentProblem) as problem:  # the fault that caused it will end
            self.trace.record(node.name, "node.start", "", problem.message)
            node.crash(loses_power=False)

    def retire(self, node: SimNode, *, notice_seconds: float = 0.0) -> None:
        """The node dies and never comes back."""
        node.is_retired = True
        node.crash(loses_power=True, notice_seconds=notice_seconds)

    def acknowledge(self, node: SimNode, cid: Cid, content: bytes) -> None:
        """The node has said that it holds this; from now on it has to."""
        self._acknowledged.setdefault(node.name, {})[cid] = content

    # ---- time ----

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
            await self.start(node)

    async def _suffer_one(self, fault: Fault, started: float) -> None:
        await asyncio.sleep(max(0.0, started + fault.at - self.now()))
        nodes = [self.nodes[name] for name in fault.nodes]
        self.trace.record(fault.nodes[0], "fault", "", str(fault))
        if fault.kind is FaultKind.RESET:
            self.network.drop(nodes[0].peer_id, nodes[1].peer_id)
        elif fault.kind is FaultKind.PARTITION:
            one, other = nodes[0].peer_id, nodes[1].peer_id
            self.network.partition(one, other)
            await asyncio.sleep(fault.seconds)
            self.network.heal(one, other)
            self.trace.record(fault.nodes[0], "fault.healed", "", str(fault))
        elif fault.kind is FaultKind.DISK_FULL:
            await self._fill_disk(nodes[0], fault)
        elif nodes[0].life is not None:
            await self._end_life(nodes[0], fault)
            await asyncio.sleep(fault.seconds)
            await self.start(nodes[0])

    async def _end_life(self, node: SimNode, fault: Fault) -> None:
        match fault.kind:
            case FaultKind.POWER:
                node.crash(loses_power=True, notice_seconds=fault.notice_seconds)
            case FaultKind.KILL:
                node.crash(loses_power=False)
            case FaultKind.POWER_AT_STEP:
                await self._crash_at_step(node, fault.steps)
            case FaultKind.RESTART:
                await self._stop(node)
            case FaultKind.SYNC_FAILS:
                node.machine.disk.fail_next("sync", errno.EIO)
                await asyncio.sleep(SYNC_FAULT_SECONDS)
                await self._stop(node)

    async def _fill_disk(self, node: SimNode, fault: Fault) -> None:
        node.machine.disk.leave_free(fault.steps * PAGE_BYTES)
        await asyncio.sleep(fault.seconds)
        node.machine.disk.give_back()
        self.trace.record(node.name, "fault.healed", "", str(fault))
        await self.start(node)  # it may have found no space to start with

    async def _crash_at_step(self, node: SimNode, steps: int) -> None:
        crashed = asyncio.Event()
        disarm = node.crash_at_step(steps, crashed.set)
        try:
            async with asyncio.timeout(STEP_FAULT_SECONDS):
                await crashed.wait()
        except TimeoutError:
            disarm()

    async def _stop(self, node: SimNode) -> None:
        try:
            await node.stop()
        except NodeDown:
            return
        except EnvironmentProblem as problem:  # a store whose disk failed cannot end in order
            self.trace.record(node.name, "node.stop", "", problem.message)
            node.crash(loses_power=False)

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
            await check_acknowledged(node, self._acknowledged.get(node.name, {}))
            await check_node(node)
            await node.stop()

    def check_nothing_left(self) -> None:
        """Every task has ended and no error was lost."""
        check_nothing_left(self._loop)

    def close(self) -> None:
        """Let go of the databases of all lives."""
        for node in self.nodes.values():
            node.close()
