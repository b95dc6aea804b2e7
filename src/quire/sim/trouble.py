"""Faults as they happen: each takes effect at its time, lasts, and ends."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable, Sequence

from quire.base.errors import EnvironmentProblem
from quire.net.memory import MemoryNetwork
from quire.sim.disk import PAGE_BYTES
from quire.sim.faults import CRASHES, MEDIUM_FAULTS, Fault, FaultKind
from quire.sim.node import NodeDown, SimNode
from quire.sim.rng import Streams
from quire.sim.tally import Tally
from quire.sim.trace import Trace

STEP_FAULT_SECONDS = 20.0  # how long a fault waits for the disk to reach its step
SYNC_FAULT_SECONDS = 5.0  # from the failed sync until the operator starts the node again


class Trouble:
    """Brings faults upon the nodes of a world."""

    def __init__(
        self,
        network: MemoryNetwork,
        trace: Trace,
        tally: Tally,
        streams: Streams,
        start: Callable[[SimNode], Awaitable[None]],
    ) -> None:
        self._network = network
        self._trace = trace
        self._tally = tally
        self._rng = streams.stream("trouble")
        self._start = start

    async def suffer(self, fault: Fault, nodes: Sequence[SimNode]) -> None:
        """Let one fault happen now; returns when it has ended."""
        self._trace.record(fault.nodes[0], "fault", "", str(fault))
        if fault.kind in CRASHES or fault.kind in (FaultKind.RESTART, FaultKind.SYNC_FAILS):
            if nodes[0].life is not None:
                self._tally.faults[str(fault.kind)] += 1
                await self._end_life(nodes[0], fault)
                await asyncio.sleep(fault.seconds)
            await self._start(nodes[0])
            return
        if fault.kind in MEDIUM_FAULTS:
            self.damage(nodes[0], fault)
            return
        self._tally.faults[str(fault.kind)] += 1
        if fault.kind is FaultKind.RESET:
            self._network.drop(nodes[0].peer_id, nodes[1].peer_id)
        elif fault.kind is FaultKind.CLOCK_JUMP:
            nodes[0].clock.turn(nodes[0].clock.skew_seconds + fault.size)
        elif fault.kind is FaultKind.NO_SPACE:
            for _ in range(fault.steps):
                nodes[0].machine.disk.fail_next("write", errno.ENOSPC)
        elif fault.kind is FaultKind.READ_FAILS:
            nodes[0].machine.disk.fail_next("read", errno.EIO, once=True)
        else:
            await self._for_a_while(fault, nodes)

    async def _for_a_while(self, fault: Fault, nodes: Sequence[SimNode]) -> None:
        node, peers = nodes[0], [node.peer_id for node in nodes]
        match fault.kind:
            case FaultKind.PARTITION:
                self._network.partition(peers[0], peers[1])
            case FaultKind.ONE_WAY:
                self._network.cut(peers[0], peers[1])
            case FaultKind.DISK_FULL:
                node.machine.disk.leave_free(fault.steps * PAGE_BYTES)
            case FaultKind.SLOW_DISK:
                node.machine.pace.slowness = fault.size
                node.slow_until = node.clock.monotonic() + fault.seconds
        await asyncio.sleep(fault.seconds)
        match fault.kind:
            case FaultKind.PARTITION:
                self._network.heal(peers[0], peers[1])
            case FaultKind.ONE_WAY:
                self._network.mend(peers[0], peers[1])
            case FaultKind.DISK_FULL:
                node.machine.disk.give_back()
            case FaultKind.SLOW_DISK:
                node.machine.pace.slowness = 1.0
        self._trace.record(fault.nodes[0], "fault.healed", "", str(fault))
        await self._start(node)  # it may have found no space to start with

    def damage(self, node: SimNode, fault: Fault) -> None:
        """The medium loses or changes some of what it had taken."""
        disk = node.machine.disk
        packs = [name for name in disk.names() if name.startswith("pack-") and disk.size(name)]
        if not packs:
            return
        node.has_damage = True
        for _ in range(fault.steps):
            name = self._rng.choice(packs)
            offset = self._rng.randrange(disk.size(name))
            match fault.kind:
                case FaultKind.ROT:
                    disk.corrupt(name, offset)
                case FaultKind.BAD_SECTOR:
                    disk.lose_sector(name, offset)
                case _:
                    disk.twist_next(str(fault.kind))
            self._trace.record(
                node.name, "fault", "", f"{fault.kind} of {node.name} at {offset} of {name}"
            )

    async def _end_life(self, node: SimNode, fault: Fault) -> None:
        match fault.kind:
            case FaultKind.POWER:
                node.crash(loses_power=True, notice_seconds=fault.notice_seconds)
            case FaultKind.KILL:
                node.crash(loses_power=False, notice_seconds=fault.notice_seconds)
            case FaultKind.POWER_AT_STEP:
                await self._crash_at_step(node, fault.steps)
            case FaultKind.RESTART:
                await self._stop(node)
            case FaultKind.SYNC_FAILS:
                node.machine.disk.fail_next("sync", errno.EIO)
                await asyncio.sleep(SYNC_FAULT_SECONDS)
                await self._stop(node)

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
            self._trace.record(node.name, "node.stop", "", problem.message)
            node.crash(loses_power=False)
