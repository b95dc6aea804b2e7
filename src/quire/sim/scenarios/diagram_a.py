"""Diagram A: a file put on one node outlives that node.

     1 upload   2 cut    3 store      4 announce       the client
     5 find     6 manifest  7 blocks  8 announce       host1
     9 the client dies for good
    10 host2 gets the file from host1, byte for byte

Faults befall the client and host1 during steps 1 to 8, host1 and host2 during step 10. Every fault
ends and the client dies only after host1 has acknowledged the whole file. Whoever asks asks again
after an error, as a user does. So success is possible under every schedule, and it is demanded:
each step must be done `GRACE_SECONDS` after the last fault of its phase ended. Single calls may
fail before that, with an error of Quire and within the time they were given. During steps 1 to 8
host2 is also asked for what nobody has, and has to say so in time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from quire.base.errors import Bug, DeadlineExceeded, NotFound
from quire.base.invariant import invariant
from quire.base.units import KIB
from quire.flow.fetch import Fetch
from quire.flow.upload import UploadOrder
from quire.formats.cid import Cid, manifest_cid
from quire.sim.checks import check_bytes
from quire.sim.faults import Fault, FaultKind, draw_faults
from quire.sim.manners import Manners
from quire.sim.node import NodeDown, NodeSizes, SimNode
from quire.sim.parts import Parts
from quire.sim.rng import Streams
from quire.sim.scenarios.insist import until_done
from quire.sim.world import World
from quire.store.dataset import Dataset

GRACE_SECONDS = 300.0
MANIFEST_SECONDS = 30.0
LATE_SECONDS = 2.0  # how much later than asked for an answer may come
FAULTS_MAX = 6
BLOCK_SIZES = (4 * KIB, 8 * KIB, 16 * KIB, 64 * KIB)
BLOCKS_MAX = 40
LIAR_CHANCE = 0.3
ROT_CHANCE = 0.3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class File:
    """What the user uploads."""

    content: bytes
    block_size: int
    filename: str | None

    @classmethod
    def drawn(cls, rng: random.Random) -> File:
        """One byte to forty blocks; even and odd sizes, repeated blocks, runs of zeros."""
        block_size = rng.choice(BLOCK_SIZES)
        kinds = [rng.randbytes(block_size) for _ in range(3)]
        kinds.append(bytes(block_size))
        blocks = [
            rng.choice(kinds) if rng.random() < 0.3 else rng.randbytes(block_size)
            for _ in range(rng.randint(1, BLOCKS_MAX))
        ]
        content = b"".join(blocks)
        cut = rng.choice((0, 0, 1, block_size - 1, rng.randrange(block_size)))
        return cls(content[: len(content) - cut], block_size, rng.choice((None, "quire.bin")))


class DiagramA:
    """The run of one seed."""

    def __init__(self, world: World, streams: Streams) -> None:
        self.world = world
        self.file = File.drawn(streams.stream("file"))
        self._pieces = streams.stream("pieces")
        self._faults = streams.stream("faults")
        sizes = NodeSizes(
            disk_bytes=64 * 1024 * KIB, quota_bytes=2 * (BLOCKS_MAX + 2) * max(BLOCK_SIZES)
        )
        self.client, self.host1, self.host2 = (
            world.add(name, sizes) for name in ("client", "host1", "host2")
        )
        lies = streams.stream("liar").random() < LIAR_CHANCE
        manners = Manners.of_liar(streams.stream("liar/lies"), world.tally)
        self.liar = world.add("liar", sizes, manners) if lies else None

    async def run(self) -> None:
        """All ten steps. Raises `Bug` when one cannot be reached or a promise is broken."""
        world = self.world
        self._step(0, f"{len(self.file.content)} bytes in blocks of {self.file.block_size}")
        await asyncio.gather(*(world.start(node) for node in world.nodes.values()))
        if self.liar is not None:  # it has the same file, and alters what it gives out
            await self.liar.call(self._upload)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ask_for_nothing(), name="asking for nothing")
            cid = await self._phase(("client", "host1"), self._spread())
        world.retire(self.client, notice_seconds=self._faults.choice((0.0, 0.0, 20.0)))
        self._step(9, "the client is gone for good")
        await self._phase(("host1", "host2"), self._deliver(cid))
        await world.finish()

    async def _phase(self, names: tuple[str, ...], work: Coroutine[Any, Any, Cid]) -> Cid:
        """Do the work while faults befall the named nodes; it must end soon after they do."""
        faults = draw_faults(self._faults, names, count_max=FAULTS_MAX)
        try:
            async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as group:
                group.create_task(self._suffer(faults, limit), name="faults")
                result = group.create_task(work, name=f"phase of {names[-1]}")
            return result.result()
        except TimeoutError:
            raise Bug(f"not done {GRACE_SECONDS:.0f} s after the last fault ended") from None

    async def _suffer(self, faults: list[Fault], limit: asyncio.Timeout) -> None:
        self.world.weather.is_calm = False
        await self.world.suffer(faults)
        limit.reschedule(self.world.now() + GRACE_SECONDS)

    # ---- steps 1 to 8 ----

    async def _spread(self) -> Cid:
        cid = await until_done(self.world, self.client, "upload", self._upload)
        self.world.acknowledge(self.client, cid, self.file.content)
        self._step(4, f"the client holds {cid} and announces it")
        self._step(5, "host1 asks the network for it")
        await until_done(
            self.world, self.host1, "manifest", lambda parts: self._manifest(parts, cid)
        )
        self._step(6, "host1 has the manifest")
        await self._fetch(self.host1, cid)
        self.world.acknowledge(self.host1, cid, self.file.content)
        self._step(7, "host1 holds every block")
        self._step(8, "host1 announces it")
        return cid

    async def _upload(self, parts: Parts) -> Cid:
        self._step(1, "the user uploads to the client")
        order = UploadOrder(
            block_size=self.file.block_size,
            expected_bytes=self._pieces.choice((None, len(self.file.content))),
            filename=self.file.filename,
        )
        dataset = await parts.uploads.run(self._stream(), order)
        self._step(2, f"cut into {dataset.block_count} blocks under one manifest")
        self._step(3, "blocks, tree and manifest are durable on the client")
        return dataset.manifest_cid

    async def _stream(self) -> AsyncIterator[bytes]:
        """The file as a socket would bring it: in pieces of any length, sometimes slowly."""
        content, at = self.file.content, 0
        while at < len(content):
            size = self._pieces.choice((1000, 4096, 65_536, 100_000))
            yield content[at : at + size]
            at += size
            if self._pieces.random() < 0.2:
                await asyncio.sleep(self._pieces.uniform(0.0, 0.5))

    # ---- step 10 ----

    async def _deliver(self, cid: Cid) -> Cid:
        self._step(10, "host2 asks the network for it")
        keeps = self._pieces.random() < 0.5  # a host that keeps it, or a user who only reads
        if keeps:
            await self._fetch(self.host2, cid)
            if self._pieces.random() < ROT_CHANCE:
                self.world.damage(self.host2, FaultKind.ROT)
        found = await until_done(
            self.world, self.host2, "download", lambda parts: self._download(parts, cid)
        )
        check_bytes(self.file.content, found, "what host2 delivered")
        self.world.note_checked(self.file.content)
        if keeps:
            self.world.acknowledge(self.host2, cid, self.file.content)
        self._step(10, "host2 has delivered the file, byte for byte, from host1")
        return cid

    async def _manifest(self, parts: Parts, cid: Cid, seconds: float = MANIFEST_SECONDS) -> Dataset:
        asked_at = self.world.now()
        try:
            return await parts.fetches.manifest(cid, seconds)
        finally:
            took = self.world.now() - asked_at
            invariant(took <= seconds + LATE_SECONDS, f"an answer took {took:.1f} of {seconds} s")

    async def _ask_for_nothing(self) -> None:
        """Somebody asks host2 for what nobody has, and is told so in time."""
        cid = manifest_cid(self._pieces.randbytes(64))
        seconds = self._pieces.choice((0.0, 0.3, 3.0, 30.0))
        try:
            await self.host2.call(lambda parts: self._manifest(parts, cid, seconds))
        except (NotFound, DeadlineExceeded) as answer:
            self.world.trace.record("host2", "manifest.unknown", str(cid), answer.message)
        else:
            raise Bug(f"host2 has found {cid}, which nobody has")

    async def _download(self, parts: Parts, cid: Cid) -> bytes:
        dataset = await self._manifest(parts, cid)
        received = bytearray()
        async with aclosing(parts.downloads.read(dataset)) as chunks:
            async for chunk in chunks:
                received += chunk
        return bytes(received)

    # ---- what several steps need ----

    async def _fetch(self, node: SimNode, cid: Cid) -> None:
        """Have a node get the whole dataset, asking again whenever its job fails."""

        async def fetch(parts: Parts) -> None:
            job: Fetch = parts.fetches.start(cid, MANIFEST_SECONDS)
            if job.task is not None:
                await asyncio.wait([job.task])
            if job.error is not None:
                raise job.error
            if job.state == "cancelled":
                raise NodeDown(f"{node.name} stopped while it fetched")
            invariant(job.state == "complete", f"a fetch job ended as {job.state}")

        await until_done(self.world, node, "fetch", fetch)

    def _step(self, number: int, text: str) -> None:
        self.world.trace.record(f"step {number}", "step", "", text)
