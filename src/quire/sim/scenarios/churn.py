"""Churn: several nodes, several users who do anything to anything, and everything goes wrong.

Safety phase. For some minutes users upload, fetch, read, delete, pin and collect on nodes drawn at
random, while faults come at rates drawn for the seed. Some peers lie or stall. All the time:
nothing acknowledged is lost, no wrong byte is delivered, every operation ends in time, the quota is
kept, nothing retained is collected, nobody honest is banned.

Liveness phase. The faults end; the honest nodes are the core that is healed, liars and stallers go
on as before. Within `GRACE_SECONDS` every honest node must have every dataset that one of them
still holds. Then damage is repaired, everything deleted, and nothing may be left.
"""

from __future__ import annotations

import asyncio
from functools import partial

from quire.base.errors import BlockMissing, Bug, QuireError
from quire.base.invariant import invariant
from quire.base.units import MIB
from quire.flow.delete import delete_dataset
from quire.sim.faults import LINK_FAULTS, MEDIUM_FAULTS, NODE_FAULTS
from quire.sim.manners import Manners
from quire.sim.node import NodeSizes, SimNode
from quire.sim.parts import Parts
from quire.sim.promises import Promises
from quire.sim.rates import Rates
from quire.sim.rng import Streams
from quire.sim.scenarios.pool import File, draw_pool
from quire.sim.scenarios.users import Users
from quire.sim.world import World
from quire.store.dataset import RetentionRoot

GRACE_SECONDS = 300.0
PHASE_SECONDS = (20.0, 180.0)
DISK_BYTES = 64 * MIB
DAMAGE_CHANCE = 0.3  # of a seed to have a node whose medium loses data
SKEW_SECONDS_MAX = 86_400.0
RETRY_SECONDS = 0.5
KEEP = RetentionRoot("pin", "liveness", None)


class Churn:
    """The run of one seed."""

    def __init__(self, world: World, streams: Streams) -> None:
        self.world = world
        self.promises = Promises()
        self._rng = rng = streams.stream("churn")
        self._files = draw_pool(streams.stream("pool"), rng.randint(4, 10))
        total = sum(file.block_count * file.block_size for file in self._files)
        is_tight = rng.random() < 0.3
        quota = int(total * rng.uniform(0.4, 0.8)) if is_tight else 4 * total + MIB
        sizes = NodeSizes(disk_bytes=DISK_BYTES, quota_bytes=quota)
        self._core = [world.add(f"node{n}", sizes) for n in range(1, rng.randint(3, 5) + 1)]
        self._others = self._draw_others(streams, sizes)
        for node in self._core:
            node.clock.skew_seconds = rng.uniform(-SKEW_SECONDS_MAX, SKEW_SECONDS_MAX)
        self._users = Users(world, self._core, self._files, self.promises, rng)
        self._is_tight = is_tight
        world.on_started = self.check_promises

    def _draw_others(self, streams: Streams, sizes: NodeSizes) -> list[SimNode]:
        """At most one liar and one staller. They hold everything, and give it out in their way."""
        others = []
        if self._rng.random() < 0.4:
            manners = Manners.of_liar(streams.stream("liar/manners"), self.world.tally)
            others.append(self.world.add("liar", sizes, manners))
        if self._rng.random() < 0.4:
            manners = Manners.of_staller(streams.stream("staller/manners"), self.world.tally)
            others.append(self.world.add("staller", sizes, manners))
        return others

    async def run(self) -> None:
        """Both phases. Raises `Bug` when a promise is broken."""
        world = self.world
        await asyncio.gather(*(world.start(node) for node in world.nodes.values()))
        for node in self._others:
            for file in self._files:
                await self._users.do("upload", node, file)
        self._step(1, f"{len(self._files)} files, {len(world.nodes)} nodes, all at work")
        await self._safety()
        self._step(2, "the faults have ended")
        await self._check_every_node()
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                await self._liveness()
        except TimeoutError:
            raise Bug(
                f"not everything is where it was asked for {GRACE_SECONDS:.0f} s after the last "
                f"fault ended: {world.awaited()}"
            ) from None
        self._step(3, "every node has what any of them holds")
        await self._repair()
        await self._empty()
        self._step(4, "everything is deleted and nothing is left")
        await world.finish()

    # ---- safety ----

    async def _safety(self) -> None:
        rng, seconds = self._rng, self._rng.uniform(*PHASE_SECONDS)
        rates = Rates.drawn(rng, (*NODE_FAULTS, *LINK_FAULTS))
        names = [node.name for node in self._core]
        faults = rates.schedule(rng, names, seconds)
        self.world.trace.record("world", "rates", "", str(rates))
        if rng.random() < DAMAGE_CHANCE:
            damage = Rates.drawn(rng, MEDIUM_FAULTS)
            faults += damage.schedule(rng, [rng.choice(names)], seconds)
            self.world.trace.record("world", "rates", "", str(damage))
        until = self.world.now() + seconds
        self.world.weather.is_calm = False
        async with asyncio.TaskGroup() as group:
            group.create_task(self.world.suffer(faults), name="faults")
            for number in range(rng.randint(2, 6)):
                group.create_task(self._users.work(until), name=f"user-{number}")
        await self._start_all()

    async def _start_all(self) -> None:
        for node in self.world.nodes.values():
            await self.world.start(node)
            invariant(node.life is not None, f"{node.name} does not start though all is well")

    async def _check_every_node(self) -> None:
        for node in self._core:
            await self.check_promises(node)
            await node.call(self._check_bans)

    async def _check_bans(self, parts: Parts) -> None:
        honest = [node.peer_id for node in self._core]
        unjust = [ban for ban in parts.exchange.banned() if ban.peer in honest]
        invariant(not unjust, f"a node that never lied is banned: {unjust}")

    async def check_promises(self, node: SimNode) -> None:
        """What the node has promised is there; what it has deleted is not."""
        for cid, _ in self.promises.at(node.name):
            file = next(file for file in self._files if file.cid == cid)
            await self._check_one(node, file)

    async def _check_one(self, node: SimNode, file: File) -> None:
        holding = self.promises.of(node.name, file.cid)
        promised = self._is_promised(node, file)
        was_gone, deletions = holding.is_gone, holding.deletions

        async def look(parts: Parts) -> tuple[bool, bytes | None]:
            dataset = await parts.store.dataset(file.cid)
            if dataset is None or not dataset.is_complete:
                return dataset is not None, None
            try:
                data = await parts.store.read_range(dataset.tree_root, 0, dataset.block_count)
            except (BlockMissing, QuireError):
                return True, None
            return True, data[: len(file.content)]

        is_there, content = await node.call(look)
        if promised and deletions == holding.deletions and self._is_promised(node, file):
            invariant(is_there, f"{node.name} had acknowledged {file.cid} and has lost it")
            invariant(
                content is not None or node.has_damage,
                f"{node.name} had acknowledged {file.cid} and lacks some of it",
            )
        if was_gone and holding.is_gone:
            invariant(not is_there, f"{node.name} had deleted {file.cid} and has it again")
        if content is not None:
            invariant(content == file.content, f"{node.name} delivered wrong bytes of {file.cid}")
            self.world.note_checked(content)

    def _is_promised(self, node: SimNode, file: File) -> bool:
        holding = self.promises.of(node.name, file.cid)
        return self.promises.is_promised(holding, node.clock.latest_now())

    # ---- liveness ----

    async def _liveness(self) -> None:
        """Every node of the core gets whatever one of them is sure to hold, at the same time."""
        async with asyncio.TaskGroup() as group:
            for file in self._files:
                sure = [n for n in self._core if self._is_promised(n, file) and not n.has_damage]
                if not sure:
                    continue
                source = sure[0]
                await source.call(partial(_keep, file=file))
                for node in self._core:
                    group.create_task(self._have(node, file), name=f"{node.name} gets a file")

    async def _have(self, node: SimNode, file: File) -> None:
        """Ask until it is here, unless it cannot fit."""
        while True:
            tried = await self._users.do("fetch", node, file)
            if tried and await self._users.do("download", node, file):
                return
            if self._is_tight:
                return  # refused, as it should be, when there is no room
            await asyncio.sleep(RETRY_SECONDS)

    async def _repair(self) -> None:
        """Read everything, so that what is damaged is found; then every store is sound."""
        for node in self._core:
            if node.has_damage:
                await node.call(_read_all)

    async def _empty(self) -> None:
        for node in self.world.nodes.values():

            async def clear(parts: Parts) -> int:
                events = parts.ground.shared.events
                for dataset in await parts.store.datasets():
                    await delete_dataset(
                        dataset.manifest_cid,
                        store=parts.store,
                        fetches=parts.fetches,
                        events=events,
                    )
                await parts.store.flush()  # of what was still coming in
                await parts.store.reclaimed()
                return parts.store.space().quota_used_bytes

            for file in self._files:
                holding = self.promises.begin_delete(node.name, file.cid)
                self.promises.end_delete(holding, is_acknowledged=False)
            used = await node.call(clear)
            invariant(used == 0, f"{node.name} is empty and uses {used} bytes")

    def _step(self, number: int, text: str) -> None:
        self.world.trace.record(f"step {number}", "step", "", text)


async def _keep(parts: Parts, file: File) -> None:
    await parts.store.retain(file.cid, KEEP)


async def _read_all(parts: Parts) -> None:
    """Read every block that is said to be here; those that are bad count as missing after it."""
    for dataset in await parts.store.datasets():
        tree = parts.store.tree(dataset.tree_root)
        for start, stop in [] if tree is None else tree.present:
            for block in range(start, stop):
                try:
                    await parts.store.read_range(dataset.tree_root, block, 1)
                except BlockMissing:
                    continue
