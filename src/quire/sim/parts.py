"""The parts of one simulated node: production classes on simulated ports.

Wired and started as `node/build.py` and `node/lifecycle.py` do it, without configuration and faces.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from quire.base.events import EventBus
from quire.base.units import KIB
from quire.base.waits import Waits
from quire.flow.announce import Announcing
from quire.flow.download import Downloads
from quire.flow.fetch import Fetches
from quire.flow.resume import ResumableUploads
from quire.flow.upload import Uploads
from quire.net.connector import Connector
from quire.net.discovery import Announcer, Finder
from quire.net.exchange.engine import Exchange
from quire.net.known_peer import KnownPeer
from quire.net.transport import Address, PeerId
from quire.sim.clock import SimClock
from quire.sim.executor import SimExecutor
from quire.sim.machine import Machine
from quire.sim.net import SimTransport
from quire.store.meta import Meta
from quire.store.store import Store

PROTOCOL = "/quire/exchange/1.0.0"
STORE_LANES = 4
PACK_BYTES_MAX = 512 * KIB  # small, so that packs are sealed, emptied and removed
BALLAST_BYTES = 16 * KIB
FETCH_IDLE_SECONDS = 60.0
UPLOAD_EXPIRY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Ground:
    """What the parts of one node share, and what they stand on."""

    clock: SimClock
    rng: random.Random
    events: EventBus
    waits: Waits
    machine: Machine
    transport: SimTransport
    quota_bytes: int
    neighbours: tuple[tuple[PeerId, Address], ...]


@dataclass(slots=True)
class Parts:
    """One running node."""

    ground: Ground
    store: Store
    finder: Finder
    announcer: Announcer
    exchange: Exchange
    announcing: Announcing
    uploads: Uploads
    resumable: ResumableUploads
    downloads: Downloads
    fetches: Fetches
    stops: list[Callable[[], Awaitable[object]]] = field(default_factory=list)

    async def stop(self) -> None:
        """An orderly end, newest part first."""
        while self.stops:
            await self.stops.pop()()


async def start_parts(ground: Ground) -> Parts:
    """Open the store of the machine and start everything on it."""
    parts = await _wire(ground)
    transport, clock = ground.transport, ground.clock
    parts.stops.append(parts.store.close)
    await transport.start()
    parts.stops.append(lambda: transport.stop(clock.monotonic() + 5.0))
    await parts.announcer.start()
    parts.stops += [parts.announcer.stop, parts.finder.stop]
    await parts.exchange.start()
    parts.stops.append(parts.exchange.stop)
    await parts.announcing.start()
    parts.stops.append(parts.fetches.stop)
    connector = Connector(
        transport,
        None,
        [KnownPeer(peer, (address,)) for peer, address in ground.neighbours],
        clock=clock,
        rng=ground.rng,
        events=ground.events,
    )
    await connector.start()

    async def stop_connector() -> None:
        parts.announcing.stop()
        await connector.stop()

    parts.stops.append(stop_connector)
    parts.stops.append(lambda: parts.resumable.drain(clock.monotonic()))
    return parts


async def _wire(ground: Ground) -> Parts:
    clock, rng, events = ground.clock, ground.rng, ground.events
    machine, transport = ground.machine, ground.transport
    store = await Store.open(
        machine.disk,
        Meta(machine.connect, on_commit=machine.committed),
        quota_bytes=ground.quota_bytes,
        pack_bytes_max=PACK_BYTES_MAX,
        ballast_bytes=BALLAST_BYTES,
        clock=clock,
        events=events,
        default_ttl=None,
        executor=SimExecutor(STORE_LANES),
    )
    finder = Finder(transport, clock, rng, events, waits=ground.waits)
    announcer = Announcer(transport, clock, rng, events)
    exchange = Exchange(
        transport,
        store,
        finder,
        clock=clock,
        rng=rng,
        events=events,
        waits=ground.waits,
        protocol_id=PROTOCOL,
    )
    return Parts(
        ground=ground,
        store=store,
        finder=finder,
        announcer=announcer,
        exchange=exchange,
        announcing=Announcing(store, announcer),
        uploads=Uploads(store, events, clock),
        resumable=ResumableUploads(
            store, events, ground.waits, clock, rng, lifetime_seconds=UPLOAD_EXPIRY_SECONDS
        ),
        downloads=Downloads(store, exchange, clock),
        fetches=Fetches(store, exchange, events, clock, idle_seconds=FETCH_IDLE_SECONDS),
    )
