"""A whole node in this process, with its REST face on a free port of loopback."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry
from support.fakes import FakeAnnouncer, FakeExchange, FakeStore

from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.faces.rest.server import RestFace
from quire.flow.announce import Announcing
from quire.flow.download import Downloads
from quire.flow.fetch import Fetches
from quire.flow.upload import Uploads
from quire.kernels import signing
from quire.net.memory import MemoryNetwork, MemoryTransport
from quire.node.config import load_config
from quire.node.lag import LoopLag
from quire.node.lifecycle import Lifecycle
from quire.node.logs import LogLevels
from quire.node.metrics import NodeMetrics
from quire.node.node import Node
from quire.node.profile import load_profile
from quire.formats.peer_id import encode_peer_id, peer_id_of

KEY = bytes(31) + b"\1"


class FakeConnector:
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class FakeFinder:
    async def find(self, cid: object, deadline: float):
        return
        yield


def fake_node(directory: Path, **flags: Any) -> Node:
    """A node over the fakes: everything but store, exchange, finder and connector is real."""
    settings = {"data-dir": str(directory), "api-port": 0, "request-timeout": "2s"}
    config = load_config(settings | {k.replace("_", "-"): v for k, v in flags.items()}, {}, None)
    clock = SystemClock()
    events = EventBus(clock)
    store = FakeStore(config.storage_quota)
    exchange = FakeExchange(store)
    announcer = FakeAnnouncer()
    public_key = signing.public_key_of(KEY)
    peer = encode_peer_id(peer_id_of(public_key))
    registry = CollectorRegistry()
    node = Node(
        config=config, profile=load_profile(config.profile), clock=clock, events=events,
        waits=Waits(clock), store=store, exchange=exchange, announcer=announcer,
        identity=SimpleNamespace(private_key=KEY, public_key=public_key, peer_id=peer),
        transport=MemoryTransport(MemoryNetwork(clock), peer, "/ip4/127.0.0.1/tcp/4001"),
        finder=FakeFinder(), connector=FakeConnector(), uploads=Uploads(store, events, clock),
        downloads=Downloads(store, exchange, clock),
        fetches=Fetches(store, exchange, events, clock, idle_seconds=config.fetch_idle_timeout),
        announcing=Announcing(store, announcer), registry=registry, lag=LoopLag(registry),
        levels=LogLevels(), started_at=clock.now(),
    )  # fmt: skip
    registry.register(NodeMetrics(node))
    directory.mkdir(parents=True, exist_ok=True)
    return node


@asynccontextmanager
async def serving(node: Node) -> AsyncGenerator[str, None]:
    """Start the node with its REST face; gives the URL."""
    lifecycle = Lifecycle(node, [RestFace(node)])
    await lifecycle.start()
    try:
        yield node.api_urls[0]
    finally:
        await lifecycle.stop()


@asynccontextmanager
async def live_node(directory: Path, **flags: Any) -> AsyncGenerator[tuple[Node, str], None]:
    """A started node and its URL."""
    node = fake_node(directory, **flags)
    async with serving(node) as url:
        yield node, url
