"""A node: every part of it by name, wired and ready to be started. Built by `build.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from quire.base.clock import Clock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.flow.announce import Announcing
from quire.flow.download import Downloads
from quire.flow.fetch import Fetches
from quire.flow.protect import Protections
from quire.flow.resume import ResumableUploads
from quire.flow.upload import Uploads
from quire.node.config import NodeConfig
from quire.node.lag import LoopLag
from quire.node.logs import LogLevels
from quire.node.parts import Parts
from quire.node.profile import Profile
from quire.node.proving import Proving
from quire.node.tracing import Tracing
from quire.services.fsck import Fsck
from quire.services.maintenance import Maintenance
from quire.services.scrub import Scrub

if TYPE_CHECKING:
    from quire.net.connector import Connector
    from quire.net.discovery import Announcer, Finder
    from quire.net.exchange.engine import Exchange
    from quire.net.identity import Identity
    from quire.net.transport import Transport
    from quire.node.aggregation import Aggregation
    from quire.node.pointing import Pointing
    from quire.node.retail import Retail
    from quire.node.trading import Trading
    from quire.store.store import Store


@dataclass(slots=True)
class Node:
    """The parts of one node. Faces read it; only `lifecycle.py` starts and stops it."""

    config: NodeConfig
    profile: Profile
    clock: Clock
    events: EventBus
    waits: Waits
    identity: Identity
    parts: Parts
    store: Store
    transport: Transport
    finder: Finder
    announcer: Announcer
    exchange: Exchange
    connector: Connector
    uploads: Uploads
    resumable: ResumableUploads
    downloads: Downloads
    fetches: Fetches
    protections: Protections
    proving: Proving
    announcing: Announcing
    maintenance: Maintenance
    scrub: Scrub
    fsck: Fsck
    registry: CollectorRegistry
    lag: LoopLag
    levels: LogLevels
    started_at: float
    pointing: Pointing | None = None  # set when the node is built
    tracing: Tracing | None = None
    trading: Trading | None = None  # with a chain only
    retail: Retail | None = None  # with a hub of payment channels on it only
    aggregation: Aggregation | None = None  # likewise
    api_urls: list[str] = field(default_factory=list)

    async def abandon(self) -> None:
        """Let go of what was opened, where the node is not started after all."""
        if self.trading is not None:
            await self.trading.close()
        if self.pointing is not None:
            await self.pointing.pointers.stop()
        await self.store.close()

    def is_busy(self) -> bool:
        """Whether somebody waits for the disk just now."""
        return bool(self.uploads.active or self.downloads.active or self.protections.active)
