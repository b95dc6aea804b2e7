"""A dataset is protected on a node that suffers, while another one has a copy of it.

    1 upload to both   2 protect on `owner`, asking again after each end   3 the same bytes
    4 another K and M is begun and given up   5 the result is deleted: nothing of it is left

What comes of it is the same as what is made all at once, whatever happened; every promise holds all
the time. The copy is there so that a block that goes bad on the owner's disk can be had again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from quire.base.errors import Bug, QuireError
from quire.base.invariant import invariant
from quire.base.units import KIB
from quire.flow.upload import UploadOrder
from quire.formats.cid import Cid
from quire.sim.coded import coded_at_once
from quire.sim.faults import Fault, FaultKind, draw_faults
from quire.sim.node import NodeDown, NodeSizes
from quire.sim.parts import Parts
from quire.sim.rng import Streams
from quire.sim.world import World
from quire.store.dataset import Dataset

GRACE_SECONDS = 300.0
RETRY_SECONDS = 0.5
FAULTS_MAX = 5
ROT_CHANCE = 0.4
BLOCK_SIZE = 4 * KIB
BLOCKS_MAX = 120

T = TypeVar("T")


class Protect:
    """The run of one seed."""

    def __init__(self, world: World, streams: Streams) -> None:
        self.world = world
        rng = streams.stream("file")
        self.k = rng.randint(2, 12)
        self.m = rng.randint(1, min(self.k, 6))
        blocks = rng.randint(max(3, self.k), BLOCKS_MAX)
        self.content = rng.randbytes(blocks * BLOCK_SIZE - rng.randrange(BLOCK_SIZE))
        self._faults = streams.stream("faults")
        sizes = NodeSizes(disk_bytes=64 * 1024 * KIB, quota_bytes=6 * BLOCKS_MAX * BLOCK_SIZE)
        self.owner, self.other = world.add("owner", sizes), world.add("other", sizes)
        self._result: Dataset | None = None

    async def run(self) -> None:
        """To its end. Raises `Bug` when a promise is broken."""
        world = self.world
        await asyncio.gather(*(world.start(node) for node in world.nodes.values()))
        self._step(1, f"{len(self.content)} bytes are uploaded to both nodes")
        cid = await self.other.call(self._upload)
        await self.owner.call(self._upload)
        world.acknowledge(self.other, cid, self.content)
        if self._faults.random() < ROT_CHANCE:
            world.damage(self.owner, FaultKind.ROT)
        self._step(2, f"the owner protects {cid} with {self.k} + {self.m}")
        await self._phase(self._protect_until_done(cid))
        self._step(3, "every block and slot is what it should be")
        await self._until_done(self._check)
        world.acknowledge(self.owner, cid, self.content)
        self._step(4, "another protection is begun and given up")
        await self._phase(self._give_up(cid))
        self._step(5, "the result is deleted")
        await self._until_done(lambda parts: self._delete(parts))
        await world.finish()

    async def _phase(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work while faults befall the owner; it must end soon after they do."""
        faults = draw_faults(self._faults, ("owner", "other"), count_max=FAULTS_MAX)
        try:
            async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as group:
                group.create_task(self._suffer(faults, limit), name="faults")
                group.create_task(work, name="protecting")
        except TimeoutError:
            raise Bug(f"not done {GRACE_SECONDS:.0f} s after the last fault ended") from None

    async def _suffer(self, faults: list[Fault], limit: asyncio.Timeout) -> None:
        self.world.weather.is_calm = False
        await self.world.suffer(faults)
        limit.reschedule(self.world.now() + GRACE_SECONDS)

    async def _upload(self, parts: Parts) -> Cid:
        async def pieces() -> AsyncIterator[bytes]:
            yield self.content

        order = UploadOrder(BLOCK_SIZE, expected_bytes=len(self.content))
        return (await parts.uploads.run(pieces(), order)).manifest_cid

    async def _protect_until_done(self, cid: Cid) -> None:
        async def protect(parts: Parts) -> Dataset:
            job = await parts.protections.start(cid, self.k, self.m)
            return await parts.protections.wait(job)

        result = await self._until_done(protect)
        self._result = result
        self.world.acknowledge(self.owner, result.manifest_cid, self.content)

    async def _check(self, parts: Parts) -> None:
        root, slot_roots = coded_at_once(self.content, self.k, self.m, BLOCK_SIZE)
        result = self._result
        assert result is not None
        protection = result.manifest.protection
        invariant(result.tree_root == root, "the protected tree is another one")
        assert protection is not None
        assert protection.verification is not None
        found = [cid.digest for cid in protection.verification.slot_roots]
        invariant(found == slot_roots, "the slot roots are others")
        held = await parts.joined.slot_files.held(root)
        invariant(len(held) == self.k + self.m, f"{len(held)} slot trees are here")
        self.world.note_checked(self.content)

    async def _give_up(self, cid: Cid) -> None:
        k, m = (3, 1) if (self.k, self.m) == (2, 1) else (2, 1)
        seconds = self._faults.choice((0.0, 0.01, 0.1, 1.0))

        async def begin(parts: Parts) -> None:
            await parts.protections.start(cid, k, m)
            await asyncio.sleep(seconds)

        async def give_up(parts: Parts) -> None:
            await parts.protections.cancel(cid, k, m)
            result = await parts.store.protecting.result(cid, k, m)
            if result is not None:  # it was quicker
                await parts.store.delete(result.manifest_cid)

        await self._until_done(begin)
        await self._until_done(give_up)

    async def _delete(self, parts: Parts) -> None:
        result = self._result
        assert result is not None
        self.world.forget(self.owner, result.manifest_cid)
        await parts.store.delete(result.manifest_cid)
        await parts.store.reclaimed()
        await parts.protections.expire()
        left = await parts.store.protecting.every()
        invariant(not left, f"{len(left)} protections are left")
        blocks = len(await parts.store.datasets())
        invariant(blocks == 1, f"{blocks} datasets are left")

    async def _until_done(self, work: Callable[[Parts], Coroutine[Any, Any, T]]) -> T:
        """Repeat the work on the owner until it succeeds. A `Bug` is never tried again."""
        while True:
            try:
                return await self.owner.call(work)
            except Bug:
                raise
            except NodeDown:
                pass
            except QuireError as problem:
                self.world.trace.record("owner", "protect.again", "", problem.message)
            await asyncio.sleep(RETRY_SECONDS)

    def _step(self, number: int, text: str) -> None:
        self.world.trace.record(f"step {number}", "step", "", text)
