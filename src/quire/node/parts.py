"""The parts of a node between store and faces: how they are joined, started and stopped.

Real nodes (`build.py`, `lifecycle.py`) and simulated ones (`quire.sim`) are both made here, so that
what the simulator tests is what runs.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.flow.announce import Announcing
from quire.flow.assemble import Assembler
from quire.flow.download import Downloads
from quire.flow.fetch import Fetches
from quire.flow.protect import Protections, ProtectPorts
from quire.flow.rebuild import Rebuilds
from quire.flow.resume import ResumableUploads
from quire.flow.slots import SlotHolds
from quire.flow.upload import Uploads
from quire.flow.workers import Workers
from quire.net.blockexc import Blockexc, Ids
from quire.net.connector import Connector
from quire.net.discovery import Announcer, Finder
from quire.net.exchange.engine import Exchange
from quire.net.known_peer import KnownPeer
from quire.net.peerbook import PeerBook
from quire.net.transport import Transport
from quire.services.caching.caching import Caching
from quire.services.caching.shelf import Shelf
from quire.services.caching.terms import CacheSettings
from quire.store.slot_files import SlotFiles
from quire.store.store import Store


@dataclass(frozen=True, slots=True)
class Ground:
    """What every part of a node shares."""

    clock: Clock
    rng: random.Random
    events: EventBus
    waits: Waits


@dataclass(frozen=True, slots=True)
class PartSettings:
    """What the parts are told. Durations in seconds; `keep_seconds` None: for ever."""

    exchange_protocol: str
    fetch_idle_seconds: float
    keep_seconds: float | None
    upload_lifetime_seconds: float  # of a resumable upload, or protection, that is not finished
    book: PeerBook | None
    bootstrap: Sequence[KnownPeer]
    drops_computed: bool = False  # blocks that a download computed, at its end
    blockexc: Ids | None = None  # of nodes of the reference; None: not spoken
    caching: CacheSettings | None = None  # None: everything is free, and nothing is counted


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one node, joined."""

    store: Store
    slot_files: SlotFiles
    workers: Workers
    transport: Transport
    finder: Finder
    announcer: Announcer
    exchange: Exchange
    connector: Connector
    uploads: Uploads
    resumable: ResumableUploads
    assembler: Assembler
    downloads: Downloads
    fetches: Fetches
    protections: Protections
    slot_holds: SlotHolds
    rebuilds: Rebuilds
    announcing: Announcing
    caching: Caching | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the start and, in opposite order, of the stop. `stop` takes its deadline
    (monotonic seconds)."""

    name: str
    start: Callable[[], Awaitable[object]] | None
    stop: Callable[[float], Awaitable[object]]


def join_parts(
    ground: Ground,
    transport: Transport,
    store: Store,
    slot_files: SlotFiles,
    workers: Workers,
    settings: PartSettings,
) -> Parts:
    """Join the parts; nothing runs yet."""
    clock, rng, events, waits = ground.clock, ground.rng, ground.events, ground.waits
    idle = settings.fetch_idle_seconds
    finder = Finder(transport, clock, rng, events, waits=waits)
    announcer = Announcer(transport, clock, rng, events)
    caching = _caching(ground, store, settings)
    exchange = _exchange(ground, transport, store, finder, settings, caching)
    connector = Connector(
        transport, settings.book, settings.bootstrap, clock=clock, rng=rng, events=events
    )
    shed = store.shed if settings.drops_computed else None
    assembler = Assembler(store, exchange, clock, events, waits, shed=shed)
    fetches = Fetches(
        store,
        exchange,
        assembler,
        events,
        clock,
        idle_seconds=idle,
        keep_seconds=settings.keep_seconds,
    )
    slot_holds, rebuilds = _slots(ground, store, slot_files, exchange, fetches, idle)
    downloads = Downloads(store, assembler, clock)
    if caching is not None:
        downloads.on_read = caching.read_here
    return Parts(
        store=store,
        slot_files=slot_files,
        workers=workers,
        transport=transport,
        finder=finder,
        announcer=announcer,
        exchange=exchange,
        connector=connector,
        uploads=Uploads(store, events, clock),
        resumable=_resumable(ground, store, settings),
        assembler=assembler,
        downloads=downloads,
        fetches=fetches,
        slot_holds=slot_holds,
        rebuilds=rebuilds,
        protections=_protections(ground, store, slot_files, fetches, workers, settings),
        announcing=Announcing(store, announcer),
        caching=caching,
    )


def _caching(ground: Ground, store: Store, settings: PartSettings) -> Caching | None:
    if settings.caching is None:
        return None
    clock, events = ground.clock, ground.events
    shelf = Shelf(store, clock, events, size_bytes=settings.caching.limit_bytes)
    return Caching(settings.caching.terms, shelf, clock, events)


def _exchange(
    ground: Ground,
    transport: Transport,
    store: Store,
    finder: Finder,
    settings: PartSettings,
    caching: Caching | None,
) -> Exchange:
    ids = settings.blockexc
    return Exchange(
        transport,
        store,
        finder,
        clock=ground.clock,
        rng=ground.rng,
        events=ground.events,
        waits=ground.waits,
        protocol_id=settings.exchange_protocol,
        dialect=None if ids is None else Blockexc(transport, store, ids),
        toll=None if caching is None else caching.toll,
    )


def _resumable(ground: Ground, store: Store, settings: PartSettings) -> ResumableUploads:
    return ResumableUploads(
        store,
        ground.events,
        ground.waits,
        ground.clock,
        ground.rng,
        lifetime_seconds=settings.upload_lifetime_seconds,
    )


def _slots(
    ground: Ground,
    store: Store,
    slot_files: SlotFiles,
    exchange: Exchange,
    fetches: Fetches,
    idle_seconds: float,
) -> tuple[SlotHolds, Rebuilds]:
    events, clock = ground.events, ground.clock
    holds = SlotHolds(
        store, exchange, fetches, slot_files, events, clock, idle_seconds=idle_seconds
    )
    rebuilds = Rebuilds(store, exchange, fetches, holds, events, clock, idle_seconds=idle_seconds)
    return holds, rebuilds


def _protections(
    ground: Ground,
    store: Store,
    slot_files: SlotFiles,
    fetches: Fetches,
    workers: Workers,
    settings: PartSettings,
) -> Protections:
    ports = ProtectPorts(
        store=store,
        slots=slot_files,
        complete=lambda cid: fetches.whole(cid, settings.fetch_idle_seconds),
        events=ground.events,
        clock=ground.clock,
        workers=workers,
    )
    return Protections(
        ports,
        lifetime_seconds=settings.upload_lifetime_seconds,
        keep_seconds=settings.keep_seconds,
    )


def stages(parts: Parts) -> list[Stage]:
    """In the order of the start. The store is open already, and closed last."""
    announcing, slot_files = parts.announcing, parts.slot_files
    return [
        Stage("store", None, lambda _: parts.store.close()),
        Stage("slot files", lambda: slot_files.follow(parts.store), lambda _: slot_files.close()),
        Stage("workers", parts.workers.start, lambda _: parts.workers.stop()),
        Stage("network", parts.transport.start, parts.transport.stop),
        Stage("announcer", parts.announcer.start, lambda _: parts.announcer.stop()),
        Stage("finder", None, lambda _: parts.finder.stop()),
        Stage("exchange", parts.exchange.start, lambda _: parts.exchange.stop()),
        Stage("announcing", announcing.start, lambda _: done(announcing.stop)),
        Stage("assembler", None, lambda _: parts.assembler.stop()),
        Stage("fetches", None, lambda _: parts.fetches.stop()),
        Stage("protections", None, lambda _: parts.protections.stop()),
        Stage("slot holds", None, lambda _: parts.slot_holds.stop()),
        Stage("rebuilds", None, lambda _: parts.rebuilds.stop()),
        Stage("connector", parts.connector.start, lambda _: parts.connector.stop()),
        Stage("resumable uploads", None, parts.resumable.drain),
    ]


async def done(call: Callable[[], object]) -> None:
    """A plain call as a step."""
    call()
