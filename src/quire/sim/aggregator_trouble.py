"""What befalls the nodes of the aggregator's scenario: they die, by themselves, of a message or of
a write of their journal; they restart, lose the chain or each other; blocks are re-organised.

Every fault ends, but for those who are gone for good. Since when and until when a node could not
act is written down: what it should have saved is judged by that.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from quire.chain.memory.clock import MemoryChainClock
from quire.chain.memory.world import MemoryWorld
from quire.net.transport import PeerId
from quire.sim.members import Member
from quire.sim.node import NodeDown, SimNode
from quire.sim.settlement import Away
from quire.sim.tasks import OWNER
from quire.sim.world import World
from quire.store.journal import Record

TROUBLE_SECONDS = (2.0, 60.0)  # between two faults
GONE_SECONDS = (0.5, 40.0)  # that a node is down, or without the chain
NOTICE_SECONDS = 10.0
DEATHS_MAX = 12
DOOM_CHANCE = 0.5  # of a life to end with a write of its journal
WRITES_MAX = 40  # until that
KINDS = ("dies", "restart", "chain", "reorganisation", "parted", "cut", "gone")


@dataclass(slots=True)
class Cast:
    """A member, and its node. `since`: of the chain, from when on it cannot act; `away`: when it
    could not before."""

    member: Member
    node: SimNode
    is_mortal: bool = True
    since: float | None = None
    away: list[Away] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.member.name


class AggregatorTrouble:
    """Of one run, by its seed."""

    def __init__(self, world: World, chain: MemoryWorld, rng: random.Random) -> None:
        self.cast: dict[str, Cast] = {}
        self._world = world
        self._chain = chain
        self._clock = MemoryChainClock(chain, world.clock)
        self._rng = rng
        self._deaths = rng.randint(0, DEATHS_MAX)  # that are left
        self._is_on = True
        self._restarts: dict[asyncio.Task[None], None] = {}
        self._task: asyncio.Task[None] | None = None

    # ---- from the start to the end ----

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="trouble")

    async def end(self) -> None:
        """Every fault is over, and everybody runs who is not gone for good."""
        self._is_on = False
        self._world.weather.is_calm = True
        if self._task is not None:
            await self._task
        while self._restarts:
            await asyncio.wait(list(self._restarts))
        for cast in self.cast.values():
            if not cast.node.is_retired:
                await self._back(cast)

    # ---- deaths ----

    def dies(self, peer: PeerId) -> bool:
        """The life of a node ends here and now, and another one begins later; False: it may not."""
        cast = next(c for c in self.cast.values() if c.node.peer_id == peer)
        if not self._is_on or not cast.is_mortal or self._deaths == 0:
            return False
        if cast.node.life is None or cast.node.is_retired:
            return False
        self._deaths -= 1
        self._world.tally.faults["aggregator: dies"] += 1
        self._goes(cast)
        notice = self._rng.choice((0.0, self._rng.uniform(0.0, NOTICE_SECONDS)))
        cast.node.crash(loses_power=self._rng.random() < 0.5, notice_seconds=notice)
        cast.member.fence()
        again = self._begins_again(cast, self._rng.uniform(*GONE_SECONDS))
        token = OWNER.set("")  # who comes back does not die with those who were there before
        task = asyncio.get_running_loop().create_task(again, name=f"{cast.name} comes back")
        OWNER.reset(token)
        self._restarts[task] = None
        task.add_done_callback(self._restarts.pop)
        return True

    def doom(self, member: Member) -> None:
        """One of the next writes of its journal may be deadly, before or after it is durable."""
        rng, cast = self._rng, self.cast[member.name]
        left, when = rng.randint(1, WRITES_MAX), rng.choice(("before", "after"))
        if rng.random() >= DOOM_CHANCE:
            return

        async def count(_: Sequence[Record]) -> None:
            nonlocal left
            left -= 1
            if left == 0 and self.dies(cast.node.peer_id):
                self._world.tally.faults[f"journal: dies {when} a write"] += 1
                await asyncio.sleep(0.0)  # and never comes back from that

        if when == "before":
            member.journal.before = count
        else:
            member.journal.after = count

    async def _begins_again(self, cast: Cast, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._back(cast)

    async def _back(self, cast: Cast) -> None:
        await self._world.start(cast.node)
        if cast.node.life is not None:
            self._comes(cast)

    # ---- one fault after the other ----

    async def _run(self) -> None:
        while self._is_on:
            await asyncio.sleep(self._rng.uniform(*TROUBLE_SECONDS))
            seconds = self._rng.uniform(*GONE_SECONDS)
            cast = self._rng.choice([c for c in self.cast.values() if not c.node.is_retired])
            kind = self._rng.choice(KINDS)
            if self._is_on:
                text = f"{kind} for {seconds:.1f} s"
                self._world.trace.record(cast.name, "trouble", "", text)
                await self._befall(kind, cast, seconds)

    async def _befall(self, kind: str, cast: Cast, seconds: float) -> None:
        rng, network, peer = self._rng, self._world.network, cast.node.peer_id
        if kind == "dies":
            self.dies(peer)
            return
        self._world.tally.faults[f"aggregator: {kind}"] += 1
        others = [other.node.peer_id for other in self.cast.values() if other is not cast]
        match kind:
            case "restart":
                await self._restart(cast, seconds)
            case "chain":
                self._goes(cast)
                cast.member.faults.is_unreachable = True
                await asyncio.sleep(seconds)
                cast.member.faults.is_unreachable = False
                if cast.node.life is not None:
                    self._comes(cast)
            case "reorganisation":
                self._chain.reorganise(rng.randint(1, 2))
            case "parted":
                other = rng.choice(others)
                network.partition(peer, other)
                await asyncio.sleep(seconds)
                network.heal(peer, other)
            case "cut":
                for other in others:
                    network.drop(peer, other)
            case "gone":
                self._is_gone(cast)

    async def _restart(self, cast: Cast, seconds: float) -> None:
        if cast.node.life is None:
            return
        self._goes(cast)
        try:
            await cast.node.stop()
        except NodeDown:  # it died on the way, and comes back from that
            return
        cast.member.fence()
        await asyncio.sleep(seconds)
        await self._back(cast)

    def _is_gone(self, cast: Cast) -> None:
        """For good, if it is one of those who go."""
        gathering = cast.member.gathering
        if gathering is not None and gathering.goes:
            self._world.retire(cast.node)
            cast.member.fence()

    # ---- who is away ----

    def _goes(self, cast: Cast) -> None:
        if cast.since is None:
            cast.since = self._clock.now()

    def _comes(self, cast: Cast) -> None:
        if cast.since is not None:
            cast.away.append(Away(cast.since, self._clock.now()))
            cast.since = None
