"""chunkUploadingTick: what a chunk lacks is opened, all of it at once, at distinct providers.

    a link changed, or 30 s passed ─► replicas that the chunk lacks ─► providers chosen
                                          ─► links begun, durable, before anything is sent

A chunk for which nobody was found is tried again later and later. Few links are under way at a
time, in the order of the file, so that reservations do not run out while they wait.
Source   point.md 6.5 (chunk)
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.errors import QuireError
from quire.base.events import EventBus
from quire.chain.port import ChainClock
from quire.point.choice_port import Candidate, Choice, Need
from quire.point.chunk import consider, used_peers
from quire.point.link import LinkOrder, LinkState
from quire.point.values import LINK_ID_BYTES
from quire.services.background import Background
from quire.services.retail.link_table import LinkTable
from quire.services.retail.upload_record import Upload
from quire.services.retail.upload_table import UploadTable

TICK_SECONDS = 30.0
UNDER_WAY_MOST = 96  # links that are not signed yet; chunks behind them wait for their turn
AT_ONCE = 8  # chunks for which providers are chosen at the same time
AGAIN_SECONDS_FIRST, AGAIN_SECONDS_MOST = 10.0, 600.0
TERM_SECONDS_LEAST = 60  # what is left of a file's time when a link is still worth beginning


@dataclass(frozen=True, slots=True)
class TickPorts:
    """`prepare` has the ciphertext of a chunk here before it is sealed again; raises QuireError."""

    table: UploadTable
    choice: Choice
    clock: Clock
    chain: ChainClock
    rng: random.Random
    events: EventBus
    prepare: Callable[[Upload, int], Awaitable[None]]


class UploadTick:
    """Opens links. `touch` says that a chunk is to be looked at."""

    def __init__(self, ports: TickPorts, links: LinkTable) -> None:
        self._ports = ports
        self._links = links
        self._wanted: dict[tuple[str, int], None] = {}
        self._again: dict[tuple[str, int], tuple[float, float]] = {}  # not before; the next pause
        self._parked: dict[tuple[str, int], None] = {}  # until links before them are through
        self._wake = asyncio.Event()
        self._task = Background("chunk-uploading-tick", self._run, ports.events)
        self.looked = asyncio.Event()  # set after each round, for who waits for one

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    def touch(self, key: str, chunk: int) -> None:
        self._wanted[key, chunk] = None
        self._wake.set()

    def room_came(self) -> None:
        """A link is through: chunks that wait for their turn may have it."""
        parked, self._parked = self._parked, {}
        for key, chunk in parked:
            self.touch(key, chunk)

    def touch_all(self, upload: Upload, *, is_urgent: bool = False) -> None:
        """Every chunk of a file; at once also those that wait for providers when it is urgent."""
        for chunk in range(len(upload.chunks)):
            if is_urgent:
                self._again.pop((upload.key, chunk), None)
            self.touch(upload.key, chunk)

    def waits_for_providers(self, key: str, chunk: int) -> bool:
        """Whether nobody was found for what the chunk lacks."""
        return (key, chunk) in self._again

    async def _run(self) -> None:
        while True:
            wanted, self._wanted = self._wanted, {}
            if wanted:
                await self._look(list(wanted))
            self.looked.set()
            if self._wanted:
                continue
            self._wake.clear()
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                for upload in self._ports.table.every():
                    if not upload.is_released:
                        self.touch_all(upload)

    async def _look(self, wanted: list[tuple[str, int]]) -> None:
        places = asyncio.Semaphore(AT_ONCE)

        async def look(key: str, chunk: int) -> None:
            async with places:
                await self._consider(key, chunk)

        async with asyncio.TaskGroup() as group:
            for key, chunk in sorted(wanted, key=lambda each: each[1]):
                group.create_task(look(key, chunk))

    async def _consider(self, key: str, chunk: int) -> None:
        upload = self._ports.table.find(key)
        if upload is None or upload.is_released:
            return
        now = int(self._ports.chain.now())
        links = self._links.of(upload.upload_id, chunk)
        lacks = consider(links, upload.wanted, now).missing
        seconds = term_seconds(upload, now)
        not_before, pause = self._again.get((key, chunk), (0.0, AGAIN_SECONDS_FIRST))
        if not lacks or seconds < TERM_SECONDS_LEAST:
            self._again.pop((key, chunk), None)
            return
        if self._ports.clock.monotonic() < not_before:
            return
        if not self._has_room():
            self._parked[key, chunk] = None
            return
        try:
            await self._ports.prepare(upload, chunk)
            found = await self._choose(upload, chunk, links, lacks, seconds)
            for candidate in found:
                await self._begin(upload, chunk, candidate, seconds)
        except QuireError as error:
            self._tell(key, "upload.stuck", f"chunk {chunk}: {error.message}; it is tried again")
            found = []
        if len(found) < lacks:
            later = self._ports.clock.monotonic() + pause
            self._again[key, chunk] = later, min(2 * pause, AGAIN_SECONDS_MOST)
            if found or pause == AGAIN_SECONDS_FIRST:
                words = f"{len(found)} of {lacks} providers found for chunk {chunk}"
                self._tell(key, "upload.short", f"{words}; looking again in {pause:.0f} s")
        else:
            self._again.pop((key, chunk), None)

    def _has_room(self) -> bool:
        return sum(not link.is_held for link in self._links.live()) < UNDER_WAY_MOST

    async def _choose(
        self, upload: Upload, chunk: int, links: list[LinkState], lacks: int, seconds: int
    ) -> list[Candidate]:
        size = upload.chunks[chunk].sealed_bytes
        need = Need(
            seed=hashlib.sha256(upload.upload_id + chunk.to_bytes(4, "big")).digest(),
            sealed_bytes=size,
            seconds=seconds,
            used=used_peers(links),
            sharing=tuple(link.offer for link in links if link.is_live),
            budget=budget_of(upload, size),
            subject=upload.upload_id.hex(),
        )
        return await self._ports.choice.choose(need, lacks)

    async def _begin(self, upload: Upload, chunk: int, found: Candidate, seconds: int) -> None:
        place, now = upload.chunks[chunk], int(self._ports.chain.now())
        links = self._links.of(upload.upload_id, chunk)
        if found.peer in used_peers(links):
            return  # never two links of a chunk at one provider
        replica, epoch = next_replica(links)
        order = LinkOrder(
            link_id=self._ports.rng.randbytes(LINK_ID_BYTES),
            upload_id=upload.upload_id,
            chunk=chunk,
            peer=found.peer,
            addresses=found.addresses,
            replica=replica,
            epoch=epoch,
            first_block=place.first_block,
            sealed_bytes=place.sealed_bytes,
            begins_at=now,
            seconds=seconds,
            budget=budget_of(upload, place.sealed_bytes),
        )
        await self._links.begin(
            LinkState(order, found.offer, order.expires_at, upload.is_autorenewed)
        )

    def _tell(self, key: str, kind: str, words: str) -> None:
        self._ports.events.publish(kind, key, words)


def next_replica(links: Sequence[LinkState]) -> tuple[int, int]:
    """(replica, epoch) of a new link: the lowest number that no live one has, a new epoch of it."""
    taken = {link.order.replica for link in links if link.is_live}
    replica = next(number for number in range(len(taken) + 1) if number not in taken)
    return replica, sum(link.order.replica == replica for link in links)


def term_seconds(upload: Upload, now: int) -> int:
    """Of a link that begins now: a whole term when it is renewed, else what is left."""
    left = upload.wanted_until - now
    return max(upload.seconds, left) if upload.is_autorenewed else left


def budget_of(upload: Upload, sealed_bytes: int) -> int | None:
    """What one replica of a chunk may cost: its share by size."""
    if upload.budget is None:
        return None
    return upload.budget * sealed_bytes // (upload.contents.dataset_size * upload.redundancy)
