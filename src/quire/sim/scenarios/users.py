"""Users who work on nodes at random, and what they expect of every answer.

An operation ends in success or in an error of Quire, and in either case in time. What was
delivered is the beginning of what had been uploaded, also when the delivery breaks off.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

from quire.base.errors import Bug, Busy, NotFound, QuireError
from quire.base.invariant import invariant
from quire.flow.delete import delete_dataset
from quire.flow.upload import UploadOrder
from quire.formats.cid import manifest_cid
from quire.sim.node import NodeDown, SimNode
from quire.sim.parts import FETCH_IDLE_SECONDS, Parts
from quire.sim.promises import Promises
from quire.sim.scenarios.pool import File
from quire.sim.world import World
from quire.store.dataset import Dataset, RetentionRoot

LATE_SECONDS = 3.0  # how much later than asked for an answer may come
DISK_SECONDS = 30.0  # what an operation of the disk alone may take
SLOW_SECONDS = 60.0  # how much later than that while a disk is slow, and soon after
RUSH_CHANCE = 0.3  # of doing several things at once on one node
PAUSE_SECONDS = 1.5  # mean, between two operations of a user


T = TypeVar("T")


class HungUp(Exception):
    """The user breaks an upload off."""


class Users:
    """What users do, on nodes and with files drawn by `rng`."""

    def __init__(
        self,
        world: World,
        nodes: list[SimNode],
        files: list[File],
        promises: Promises,
        rng: random.Random,
    ) -> None:
        self._world = world
        self._nodes = nodes
        self._files = files
        self._promises = promises
        self._rng = rng
        self._serial = 0
        self._kinds: dict[str, tuple[float, Callable[[SimNode, File], Awaitable[None]]]] = {
            "upload": (3.0, self.upload),
            "upload broken off": (0.7, self.break_off),
            "fetch": (3.0, self.fetch),
            "download": (3.0, self.download),
            "ranged read": (3.0, self.read_range),
            "delete": (1.5, self.delete),
            "pin": (1.0, self.pin),
            "release": (0.7, self.release),
            "collect": (0.5, self.collect),
            "look for nothing": (0.3, self.look_for_nothing),
        }

    async def work(self, until: float) -> None:
        """One user: an operation after the other until that moment."""
        names = list(self._kinds)
        weights = [weight for weight, _ in self._kinds.values()]
        while self._world.now() < until:
            node = self._rng.choice(self._nodes)
            count = self._rng.randint(2, 4) if self._rng.random() < RUSH_CHANCE else 1
            async with asyncio.TaskGroup() as group:
                for kind in self._rng.choices(names, weights, k=count):
                    work = self._soon(kind, node, self._rng.choice(self._files))
                    group.create_task(work, name=kind)
            await asyncio.sleep(self._rng.expovariate(1 / PAUSE_SECONDS))

    async def _soon(self, kind: str, node: SimNode, file: File) -> None:
        await asyncio.sleep(self._rng.choice((0.0, 10 ** self._rng.uniform(-4.0, -1.0))))
        await self.do(kind, node, file)

    async def do(self, kind: str, node: SimNode, file: File) -> bool:
        """One operation; whether it succeeded. An error of Quire is an answer, a `Bug` is not."""
        tally = self._world.tally
        try:
            await self._kinds[kind][1](node, file)
        except Bug:
            raise
        except NodeDown:
            tally.refused["node down"] += 1
            return False
        except QuireError as problem:
            is_spoilt = isinstance(problem, Busy) and "went bad" in problem.message
            invariant(node.has_damage or not is_spoilt, f"{node.name}: {problem.message}")
            tally.refused[kind] += 1
            self._note(node, f"{kind}.failed", file, problem.message)
            return False
        tally.done[kind] += 1
        return True

    # ---- operations ----

    async def upload(self, node: SimNode, file: File) -> None:
        ends = self._draw_end(node)
        self._serial += 1
        root = RetentionRoot("pin", f"u{self._serial}", ends)
        order = UploadOrder(
            file.block_size,
            expected_bytes=self._rng.choice((None, len(file.content))),
            filename=file.filename,
            root=root,
        )
        pauses = [self._rng.choice((0.0, 0.0, 0.0, self._rng.uniform(0, 2))) for _ in range(4)]

        async def put(parts: Parts) -> Dataset:
            return await parts.uploads.run(_pieces(file.content, pauses), order)

        token = self._promises.begin_write(node.name, file.cid)
        try:
            dataset = await self._in_time(node, put, sum(pauses) + DISK_SECONDS)
            invariant(dataset.manifest_cid == file.cid, f"{file.cid} is called by another CID")
            invariant(dataset.is_complete, "an upload is complete when it is acknowledged")
            invariant(root in dataset.roots, "an upload is not kept for the reason that was given")
            self._promises.acknowledge(token, dataset.roots)
        finally:
            self._promises.end_write(token)

    async def break_off(self, node: SimNode, file: File) -> None:
        cut = self._rng.randrange(len(file.content))

        async def put(parts: Parts) -> None:
            order = UploadOrder(file.block_size, expected_bytes=len(file.content))
            try:
                await parts.uploads.run(_pieces(file.content[:cut], [0.1], HungUp()), order)
            except HungUp:
                return
            raise Bug("an upload without its end was taken")

        await self._in_time(node, put, DISK_SECONDS)

    async def fetch(self, node: SimNode, file: File) -> None:
        seconds = self._rng.choice((2.0, 10.0, 30.0))

        async def get(parts: Parts) -> Dataset | None:
            job = parts.fetches.start(file.cid, seconds)
            if job.task is not None:
                await asyncio.wait([job.task])
            if job.error is not None:
                raise job.error
            if job.state == "cancelled":
                raise NotFound("the fetch was cancelled")
            invariant(job.state == "complete", f"a fetch job ended as {job.state}")
            return await parts.store.dataset(file.cid)

        token = self._promises.begin_write(node.name, file.cid)
        try:
            limit = seconds + FETCH_IDLE_SECONDS * (file.block_count + 1) + DISK_SECONDS
            dataset = await self._in_time(node, get, limit)
            if dataset is not None and dataset.is_complete:
                self._promises.acknowledge(token, dataset.roots)
            elif self._promises.is_undisturbed(token) and not token.holding.may_expire:
                invariant(node.has_damage, f"{node.name} has fetched {file.cid} and lacks it")
        finally:
            self._promises.end_write(token)

    async def download(self, node: SimNode, file: File) -> None:
        await self._read(node, file, 0, len(file.content))

    async def read_range(self, node: SimNode, file: File) -> None:
        start = self._rng.randrange(len(file.content))
        await self._read(node, file, start, self._rng.randint(start, len(file.content)))

    async def _read(self, node: SimNode, file: File, start: int, stop: int) -> None:
        seconds, leaves_early = self._rng.choice((2.0, 10.0, 30.0)), self._rng.random() < 0.1
        received = bytearray()

        async def get(parts: Parts) -> None:
            dataset = await self._manifest(node, parts, file, seconds)
            chunks = parts.downloads.read(
                dataset, offset=start, length=stop - start, idle_seconds=seconds
            )
            async with aclosing(chunks):
                async for chunk in chunks:
                    received.extend(chunk)
                    if leaves_early:
                        return
            invariant(len(received) == stop - start, "a download ended before its end")

        token = self._promises.begin_write(node.name, file.cid)
        try:
            await self._in_time(node, get, seconds * (file.block_count + 3) + DISK_SECONDS)
        finally:
            self._promises.end_write(token)
            expected = file.content[start : start + len(received)]
            invariant(bytes(received) == expected, f"{node.name} delivered wrong bytes")
            self._world.tally.checked_bytes += len(received)

    async def look_for_nothing(self, node: SimNode, _: File) -> None:
        cid = manifest_cid(self._rng.randbytes(64))
        seconds = self._rng.choice((0.5, 5.0, 30.0))

        async def get(parts: Parts) -> None:
            try:
                await parts.fetches.manifest(cid, seconds)
            except QuireError:
                return
            raise Bug(f"{node.name} has found {cid}, which nobody has")

        await self._in_time(node, get, seconds)

    async def delete(self, node: SimNode, file: File) -> None:
        async def remove(parts: Parts) -> Dataset | None:
            events = parts.ground.shared.events
            await delete_dataset(file.cid, store=parts.store, fetches=parts.fetches, events=events)
            return await parts.store.dataset(file.cid)

        holding = self._promises.begin_delete(node.name, file.cid)
        is_done = False
        begun, is_quiet = (holding.deletions, holding.writes), not holding.writing
        try:
            left = await self._in_time(node, remove, DISK_SECONDS)
            is_done = True
        finally:
            is_alone = is_quiet and begun == (holding.deletions, holding.writes)
            self._promises.end_delete(holding, is_acknowledged=is_done and is_alone)
        if is_alone and holding.is_gone:
            invariant(left is None, f"{node.name} has deleted {file.cid} and still has it")

    async def pin(self, node: SimNode, file: File) -> None:
        root = RetentionRoot(self._rng.choice(("pin", "request")), "user", self._draw_end(node))
        token = self._promises.begin_write(node.name, file.cid)
        token.holding.may_expire |= root.expires_at is not None
        try:
            await self._in_time(node, lambda p: p.store.retain(file.cid, root), DISK_SECONDS)
            latest = node.clock.latest_now()
            is_sure = self._promises.is_promised(token.holding, latest)
            if is_sure and self._promises.is_undisturbed(token):
                self._promises.retain(token.holding, root)
        finally:
            self._promises.end_write(token)

    async def release(self, node: SimNode, file: File) -> None:
        kind = self._rng.choice(("pin", "request"))
        self._promises.release(self._promises.of(node.name, file.cid), kind, "user")
        await self._in_time(node, lambda p: p.store.release(file.cid, kind, "user"), DISK_SECONDS)
        self._promises.release(self._promises.of(node.name, file.cid), kind, "user")

    async def collect(self, node: SimNode, _: File) -> None:
        await self._in_time(node, lambda p: p.store.collect(), DISK_SECONDS)

    # ---- what several need ----

    async def _manifest(self, node: SimNode, parts: Parts, file: File, seconds: float) -> Dataset:
        asked_at = self._world.now()
        try:
            return await parts.fetches.manifest(file.cid, seconds)
        finally:
            self._check_time(node, "a manifest", asked_at, seconds)

    async def _in_time(
        self, node: SimNode, work: Callable[[Parts], Awaitable[T]], seconds: float
    ) -> T:
        """Have the node do it; it must have ended, one way or the other, after these seconds."""

        async def watched(parts: Parts) -> T:
            return await work(parts)

        asked_at = self._world.now()
        try:
            async with asyncio.timeout(seconds + LATE_SECONDS + SLOW_SECONDS):
                return await node.call(watched)
        except TimeoutError:
            awaited = self._world.awaited()
            raise Bug(f"no answer of {node.name} for {seconds:.1f} s: {awaited}") from None
        finally:
            self._check_time(node, "an answer", asked_at, seconds)

    def _check_time(self, node: SimNode, what: str, asked_at: float, seconds: float) -> None:
        """Whoever waits on a slow disk may be late, all others not."""
        took = self._world.now() - asked_at
        allowed = seconds + LATE_SECONDS
        if node.slow_until + SLOW_SECONDS > asked_at:
            allowed += SLOW_SECONDS
        invariant(took <= allowed, f"{what} of {node.name} took {took:.1f} of {seconds} s")

    def _draw_end(self, node: SimNode) -> float | None:
        """When a retention root ends: never, or in seconds to minutes."""
        if self._rng.random() < 0.6:
            return None
        return node.clock.now() + 10 ** self._rng.uniform(0.0, 2.5)

    def _note(self, node: SimNode, kind: str, file: File, message: str) -> None:
        self._world.trace.record(node.name, kind, str(file.cid), message)


async def _pieces(
    content: bytes, pauses: list[float], problem: Exception | None = None
) -> AsyncIterator[bytes]:
    """A body as it comes in, with pauses; `problem` at its end."""
    step = -(-len(content) // len(pauses)) or 1
    for at, pause in zip(range(0, len(content), step), pauses, strict=False):
        if pause:
            await asyncio.sleep(pause)
        yield content[at : at + step]
    if problem is not None:
        raise problem
