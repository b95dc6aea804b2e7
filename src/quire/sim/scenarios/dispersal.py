"""Dispersal: a protected dataset is given away slot by slot, and outlives any three nodes.

    1 the owner uploads and protects 4 + 2     2 six hosts take a slot each
    3 the owner and a host die for good
    4 a reader gets the file, and the list of leaves; another host dies for good while it reads
    5 a newcomer rebuilds a lost slot, and holds it
    6 a host drops its slot, and rebuilds it from the others

Faults befall owner and hosts during steps 1 and 2, whoever is left from step 4 on. Every fault
ends, and nobody dies for good before the slots are held, so every step can succeed and must,
`GRACE_SECONDS` after the last fault of its phase ended. A slot that a host holds must be there,
whole and provable, after every restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from quire.base.errors import Bug
from quire.base.invariant import invariant
from quire.base.units import KIB
from quire.dataset.geometry import Geometry
from quire.flow.rebuild_job import RebuildJob
from quire.flow.slot_state import SlotJob
from quire.flow.upload import UploadOrder
from quire.kernels.hashing import sha256_blocks
from quire.sim.checks import check_bytes
from quire.sim.faults import draw_faults
from quire.sim.node import NodeDown, NodeSizes, SimNode
from quire.sim.parts import Parts
from quire.sim.rng import Streams
from quire.sim.scenarios.insist import until_done
from quire.sim.world import World
from quire.store.dataset import Dataset

K, M = 4, 2
GRACE_SECONDS = 300.0
DEATH_SECONDS = 2.0  # a host dies at most so long after a read has begun
ASK_SECONDS = 30.0
FAULTS_MAX = 8
BLOCK_SIZES = (4 * KIB, 8 * KIB)
BLOCKS_MAX = 40

T = TypeVar("T")


class Dispersal:
    """The run of one seed."""

    def __init__(self, world: World, streams: Streams) -> None:
        self.world = world
        rng = streams.stream("file")
        self.block_size = rng.choice(BLOCK_SIZES)
        blocks = rng.randint(K, BLOCKS_MAX)
        self.content = rng.randbytes(blocks * self.block_size - rng.randrange(self.block_size))
        self._rng = streams.stream("choices")
        self._faults = streams.stream("faults")
        size = 8 * BLOCKS_MAX * self.block_size
        sizes = NodeSizes(disk_bytes=64 * 1024 * KIB, quota_bytes=size)
        self.owner = world.add("owner", sizes)
        self.hosts = [world.add(f"host{slot}", sizes) for slot in range(K + M)]
        self.reader = world.add("reader", sizes)
        self.newcomer = world.add("newcomer", sizes)
        self._rows: list[bytes] = []  # what each slot is, once the owner has said so
        self._held: dict[str, tuple[Dataset, int]] = {}  # what hosts have promised
        self._is_reading = False
        world.on_started = self._check_promise

    async def run(self) -> None:
        """All steps. Raises `Bug` when one cannot be reached or a promise is broken."""
        world = self.world
        self._step(0, f"{len(self.content)} bytes in blocks of {self.block_size}")
        await asyncio.gather(*(world.start(node) for node in world.nodes.values()))
        names = ("owner", *(host.name for host in self.hosts))
        dataset = await self._phase(names, self._disperse())
        lost = sorted(self._rng.sample(range(K + M), M))
        left = [slot for slot in range(K + M) if slot not in lost]
        self._retire(self.owner)
        self._retire(self.hosts[lost[0]])
        self._step(3, f"the owner and the holder of slot {lost[0]} are gone for good")
        names = ("reader", "newcomer", *(self.hosts[slot].name for slot in left))
        await self._phase(names, self._survive(dataset, lost, left))
        await world.finish()

    async def _phase(self, names: tuple[str, ...], work: Coroutine[Any, Any, T]) -> T:
        """Do the work while faults befall the named nodes; it must end soon after they do."""
        faults = draw_faults(self._faults, names, count_max=FAULTS_MAX)
        self.world.weather.is_calm = False
        try:
            async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as group:
                result = group.create_task(work, name=f"phase of {names[0]}")
                await self.world.suffer(faults)
                limit.reschedule(self.world.now() + GRACE_SECONDS)
            return result.result()
        except TimeoutError:
            raise Bug(f"not done {GRACE_SECONDS:.0f} s after the last fault ended") from None

    # ---- steps 1 and 2 ----

    async def _disperse(self) -> Dataset:
        dataset = await until_done(self.world, self.owner, "protect", self._protect)
        geometry = Geometry.of(dataset.manifest)
        whole = await until_done(
            self.world,
            self.owner,
            "read",
            lambda parts: parts.store.read_range(dataset.tree_root, 0, geometry.total),
        )
        size = geometry.steps * geometry.block_size
        self._rows = [whole[at : at + size] for at in range(0, len(whole), size)]
        check_bytes(self.content, whole[: len(self.content)], "what the owner protected")
        self._step(1, f"the owner has {dataset.manifest_cid} in {geometry.slots} slots")
        async with asyncio.TaskGroup() as group:
            for slot, host in enumerate(self.hosts):
                group.create_task(self._hold(host, dataset, slot), name=f"slot {slot}")
        self._step(2, "every slot is held by a host")
        return dataset

    async def _protect(self, parts: Parts) -> Dataset:
        dataset = await parts.uploads.run(
            self._stream(), UploadOrder(block_size=self.block_size, expected_bytes=None)
        )
        job = await parts.protections.start(dataset.manifest_cid, K, M)
        return await parts.protections.wait(job)

    async def _stream(self) -> AsyncIterator[bytes]:
        yield self.content

    async def _hold(
        self, host: SimNode, dataset: Dataset, slot: int, *, is_lost: bool = False
    ) -> None:
        """Have a node take a slot, or compute one that nobody has, and hold it."""
        cid = dataset.manifest_cid

        async def take(parts: Parts) -> None:
            job: SlotJob | RebuildJob
            if is_lost:
                job = await parts.joined.rebuilds.start(cid, [slot], ASK_SECONDS)
            else:
                job = await parts.slot_holds.start(cid, slot, ASK_SECONDS)
            if job.task is not None:
                await asyncio.wait([job.task])
            if job.error is not None:
                raise job.error
            if job.state == "cancelled":
                raise NodeDown(f"{host.name} stopped while it took a slot")
            invariant(job.state in ("held", "complete"), f"a job ended as {job.state}")

        await until_done(self.world, host, "rebuild" if is_lost else "take", take)
        self._held[host.name] = (dataset, slot)

    async def _check_promise(self, node: SimNode) -> None:
        """What a host has said it holds, it still holds: every block, the tree, and a proof."""
        held = self._held.get(node.name)
        if held is None:
            return
        dataset, slot = held
        row = Geometry.of(dataset.manifest).row_range(slot)

        async def check(parts: Parts) -> None:
            state = await parts.slot_holds.state(dataset.manifest_cid, slot)
            invariant(
                state is not None and state.state == "held",
                f"{node.name} held slot {slot}, and now: {state}",
            )
            found = await parts.store.read_range(dataset.tree_root, row.start, len(row))
            check_bytes(self._rows[slot], found, f"slot {slot} of {node.name}")
            await parts.store.prove_range(dataset.tree_root, row.start, len(row))
            tree = await parts.joined.slot_files.open(dataset.tree_root, slot)
            tree.check()

        await node.call(check)
        self.world.note_checked(self._rows[slot])

    # ---- steps 4 to 6 ----

    async def _survive(self, dataset: Dataset, lost: list[int], left: list[int]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._die(self.hosts[lost[1]]), name="death")
            data = await until_done(
                self.world, self.reader, "read", lambda p: self._read(p, dataset)
            )
        check_bytes(self.content, data, "what the reader got")
        leaves = await until_done(
            self.world, self.reader, "leaves", lambda p: self._learn(p, dataset)
        )
        parity = sha256_blocks(b"".join(self._rows[K:]), self.block_size)
        check_bytes(parity, leaves[-len(parity) :], "the digests of the leaves of parity")
        self._step(4, "the reader has the file, and every leaf's digest")
        slot = self._rng.choice(lost)
        await self._hold(self.newcomer, dataset, slot, is_lost=True)
        self._step(5, f"the newcomer has rebuilt slot {slot}, and holds it")
        slot = self._rng.choice(left)
        host = self.hosts[slot]
        del self._held[host.name]
        await until_done(
            self.world,
            host,
            "drop",
            lambda parts: parts.slot_holds.drop(dataset.manifest_cid, slot),
        )
        await self._hold(host, dataset, slot, is_lost=True)
        self._step(6, f"{host.name} has dropped slot {slot} and rebuilt it")

    async def _die(self, host: SimNode) -> None:
        """Die for good, in the middle of a read if there is one."""
        await asyncio.sleep(self._faults.uniform(0.0, DEATH_SECONDS))
        when = "in the middle of" if self._is_reading else "before or after"
        self.world.trace.record(host.name, "dies", "", f"{when} a read")
        self._retire(host)

    def _retire(self, node: SimNode) -> None:
        self._held.pop(node.name, None)
        self.world.retire(node, notice_seconds=self._faults.choice((0.0, 0.0, 20.0)))

    async def _read(self, parts: Parts, dataset: Dataset) -> bytes:
        found = await parts.fetches.manifest(dataset.manifest_cid, ASK_SECONDS)
        received = bytearray()
        self._is_reading = True
        try:
            async with aclosing(parts.downloads.read(found)) as chunks:
                async for chunk in chunks:
                    received += chunk
        finally:
            self._is_reading = False
        return bytes(received)

    async def _learn(self, parts: Parts, dataset: Dataset) -> bytes:
        found = await parts.fetches.manifest(dataset.manifest_cid, ASK_SECONDS)
        await parts.exchange.fetch_leaves(found, self.reader.clock.monotonic() + ASK_SECONDS)
        leaves = await parts.store.leaves(found.tree_root)
        invariant(leaves is not None, "a list of leaves that was fetched is not known")
        return leaves or b""

    # ---- what several steps need ----

    def _step(self, number: int, text: str) -> None:
        self.world.trace.record(f"step {number}", "step", "", text)
