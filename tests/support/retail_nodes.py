"""A live node that pays and is paid through a hub in memory: real store, network and REST."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quire.base.rng import seeded_rng
from quire.chain.memory.bonds import MemoryBonds
from quire.chain.memory.hub import MemoryHub
from quire.chain.memory.market import MemoryMarket
from quire.chain.memory.world import MemoryWorld
from quire.faces.rest.route import QUIRE_BASE
from quire.kernels.signing import address_of, sign_recoverable
from quire.net.memory import MemoryNetwork
from quire.node.aggregating import Able, join_aggregating
from quire.node.aggregation import Aggregation
from quire.node.aggregation_join import join_ordering
from quire.node.node import Node
from quire.node.parts import Ground
from quire.node.retail import (
    Retail,
    RetailPorts,
    RetailSettings,
    join_client,
    join_providing,
    join_retail,
)
from quire.node.retail_choice import choice_of
from quire.node.trading import join_trading
from quire.services.aggregating.settings import AggregatorSettings
from quire.services.providing.settings import ProviderSettings
from quire.store.journal import Journal
from quire.store.journal_memory import MemoryJournal
from support.http import send
from support.live import make_node, serving


@dataclass
class RetailNode:
    node: Node
    url: str
    retail: Retail
    hub: MemoryHub
    aggregation: Aggregation

    @property
    def peer(self) -> str:
        return self.node.transport.peer_id


@asynccontextmanager
async def retail_node(
    directory: Path,
    world: MemoryWorld,
    key: bytes,
    network: MemoryNetwork | None = None,
    *,
    journal: Journal | None = None,
    settings: RetailSettings | None = None,
    providing: ProviderSettings | None = None,
    aggregating: AggregatorSettings | None = None,
    **flags: Any,
) -> AsyncGenerator[RetailNode, None]:
    """A node with the account of a key. It offers nothing and buys nothing unless told to; with
    `providing` it keeps replicas, with `aggregating` it codes datasets for others."""
    node = await make_node(directory, network, **flags)
    account = address_of(key)
    market, hub = MemoryMarket(world, account, node.clock), MemoryHub(world, account, node.clock)
    journal = journal or MemoryJournal(node.clock)
    ground = Ground(node.clock, seeded_rng(key[0]), node.events, node.waits)
    node.trading = join_trading(market, journal, ground, node.parts)

    def sign(digest: bytes) -> bytes:
        return sign_recoverable(key, digest)

    ports = RetailPorts(hub, journal, sign, node.transport, node.profile.protocols)
    node.retail = join_retail(ports, settings or RetailSettings(), ground)
    choice = choice_of(
        node.config,
        node.profile.protocols.replica,
        node.identity,
        ground,
        node.transport,
        node.finder,
        node.retail.requests,
        hub,
        journal,
    )
    assert node.pointing is not None
    rest = (ports, node.identity, ground, node.parts, node.pointing.pointers)
    join_client(node.retail, choice, *rest)
    if providing is not None:
        join_providing(node.retail, providing, *rest)
    aggregation = node.aggregation = aggregation_of(node, ports, ground, directory, aggregating)
    aggregation.bonds = MemoryBonds(world, account, node.clock)
    async with serving(node) as url:
        yield RetailNode(node, url, node.retail, hub, aggregation)


async def introduce(one: RetailNode, other: RetailNode) -> None:
    """Connect two nodes."""
    await connect_nodes(one.url, other.node)


async def connect_nodes(url: str, other: Node) -> None:
    """Connect the node at a URL to another."""
    (address,) = other.transport.listen_addresses()
    path = f"{QUIRE_BASE}/connect/{other.transport.peer_id}?addrs={address}"
    assert (await send(url, "GET", path, {}, b"")).status == 200


def aggregation_of(
    node: Node,
    ports: RetailPorts,
    ground: Ground,
    scratch: Path,
    aggregating: AggregatorSettings | None,
) -> Aggregation:
    """That it orders of aggregators, and is one where there are settings for that."""
    assert node.retail is not None
    assert node.trading is not None
    purchases, rest = node.trading.purchases, (node.identity, ground, node.parts)
    found = join_ordering(ports, node.retail, purchases, *rest, scratch)
    if aggregating is not None:
        found.serve(join_aggregating(ports, node.retail, aggregating, Able({}, {}), *rest), ports)
    return found
