"""The parts of one simulated node: production classes, joined by `node/parts.py`, on simulated
ports. What is left out of a real node are its configuration and its faces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from quire.base.errors import QuireError
from quire.base.units import KIB
from quire.flow.announce import Announcing
from quire.flow.download import Downloads
from quire.flow.fetch import Fetches
from quire.flow.protect import Protections
from quire.flow.resume import ResumableUploads
from quire.flow.slots import SlotHolds
from quire.flow.upload import Uploads
from quire.net.exchange.engine import Exchange
from quire.net.known_peer import KnownPeer
from quire.net.transport import Address, PeerId
from quire.node.parts import Ground as Shared
from quire.node.parts import Parts as Joined
from quire.node.parts import PartSettings, join_parts, stages
from quire.services.workers.local import LocalWorkers
from quire.sim.executor import SimExecutor
from quire.sim.machine import Machine
from quire.sim.net import SimTransport
from quire.store.meta import Meta
from quire.store.slot_files import SlotFiles
from quire.store.store import Store

PROTOCOL = "/quire/exchange/1.0.0"
STORE_LANES = 4
PROVERS = 1  # proofs that a machine computes at a time
PACK_BYTES_MAX = 512 * KIB  # small, so that packs are sealed, emptied and removed
BALLAST_BYTES = 16 * KIB
FETCH_IDLE_SECONDS = 60.0
STOP_SECONDS = 5.0
COLLECT_SECONDS = 20.0  # between two collections; a real node waits for minutes
UPLOAD_EXPIRY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Ground:
    """What the parts of one node share, and what they stand on."""

    shared: Shared
    machine: Machine
    transport: SimTransport
    quota_bytes: int
    neighbours: tuple[tuple[PeerId, Address], ...]


@dataclass(slots=True)
class Parts:
    """One running node."""

    ground: Ground
    joined: Joined
    stops: list[Callable[[float], Awaitable[object]]] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return self.joined.store

    @property
    def exchange(self) -> Exchange:
        return self.joined.exchange

    @property
    def announcing(self) -> Announcing:
        return self.joined.announcing

    @property
    def uploads(self) -> Uploads:
        return self.joined.uploads

    @property
    def resumable(self) -> ResumableUploads:
        return self.joined.resumable

    @property
    def downloads(self) -> Downloads:
        return self.joined.downloads

    @property
    def fetches(self) -> Fetches:
        return self.joined.fetches

    @property
    def protections(self) -> Protections:
        return self.joined.protections

    @property
    def slot_holds(self) -> SlotHolds:
        return self.joined.slot_holds

    async def stop(self) -> None:
        """An orderly end, newest part first."""
        while self.stops:
            await self.stops.pop()(self.ground.shared.clock.monotonic() + STOP_SECONDS)


async def start_parts(ground: Ground) -> Parts:
    """Open the store of the machine and start everything on it."""
    machine, shared = ground.machine, ground.shared
    executor = SimExecutor(STORE_LANES, machine.pace)
    store = await Store.open(
        machine.disk,
        Meta(machine.connect, on_commit=machine.committed),
        quota_bytes=ground.quota_bytes,
        pack_bytes_max=PACK_BYTES_MAX,
        ballast_bytes=BALLAST_BYTES,
        clock=shared.clock,
        events=shared.events,
        default_ttl=None,
        executor=executor,
    )
    settings = PartSettings(
        exchange_protocol=PROTOCOL,
        fetch_idle_seconds=FETCH_IDLE_SECONDS,
        keep_seconds=None,
        upload_lifetime_seconds=UPLOAD_EXPIRY_SECONDS,
        book=None,
        bootstrap=[KnownPeer(peer, (address,)) for peer, address in ground.neighbours],
    )
    slot_files = SlotFiles(machine.disk, shared.events, executor)
    workers = LocalWorkers(
        shared.waits, proving=SimExecutor(PROVERS, machine.pace), proofs_at_once=PROVERS
    )
    joined = join_parts(shared, ground.transport, store, slot_files, workers, settings)
    parts = Parts(ground, joined)
    for stage in stages(parts.joined):
        if stage.start is not None:
            await stage.start()
        parts.stops.append(stage.stop)
    collecting = asyncio.get_running_loop().create_task(_collect(parts), name="collecting")

    async def stop_collecting(_: float) -> None:
        collecting.cancel()
        await asyncio.wait([collecting])

    parts.stops.append(stop_collecting)
    return parts


async def _collect(parts: Parts) -> None:
    """What the lifecycle of a real node does every `block-mi`."""
    while True:
        await asyncio.sleep(COLLECT_SECONDS)
        try:
            await parts.store.collect()
        except QuireError as error:
            parts.ground.shared.events.publish("collect.failed", "", error.message)
