"""Whole exchange nodes in one loop, honest and not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from quire.base.clock import Clock, SystemClock
from quire.base.errors import PeerGone
from quire.base.events import EventBus
from quire.base.rng import seeded_rng
from quire.base.waits import Waits
from quire.formats.exchange import (
    MAX_MESSAGE_BYTES,
    DataRequest,
    ExchangeMessage,
    HaveRequest,
    decode_message,
)
from quire.net.blockexc import Blockexc, Ids
from quire.net.blockexc.limits import BlockexcLimits
from quire.net.discovery import Finder
from quire.net.exchange.engine import Exchange
from quire.net.exchange.limits import ExchangeLimits
from quire.net.exchange.toll import Toll
from quire.net.memory import MemoryNetwork, MemoryTransport
from quire.net.transport import Channel, Transport
from support.memory_store import MemoryStore
from support.networks import make_network, make_transport

PROTOCOL = "/quire/exchange/1.0.0"
IDS = ("/codex/blockexc/1.0.0", "/archivist/blockexc/1.0.0", "/promethei/blockexc/1.0.0")
QUICK = ExchangeLimits(  # for tests: everything that is waited for comes soon
    rest_seconds=0.1,
    again_seconds=0.05,
    search_pause_seconds=0.1,
    update_seconds=0.05,
    timeout_min_seconds=0.2,
    timeout_first_seconds=0.3,
    busy_seconds=0.02,
)


@dataclass
class Node:
    """What a node has of the network, in memory."""

    transport: Transport
    store: MemoryStore
    events: EventBus
    waits: Waits
    finder: Finder
    exchange: Exchange

    @property
    def peer(self) -> str:
        return self.transport.peer_id

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events.history()]


class World:
    """A network and the nodes in it."""

    def __init__(self, network: MemoryNetwork | None = None, clock: Clock | None = None) -> None:
        self.network = network or make_network()
        self.clock = clock or SystemClock()
        self.nodes: list[Node] = []
        self.liars: list[Transport] = []

    async def node(
        self,
        name: str,
        limits: ExchangeLimits | None = None,
        *,
        protocol: str = PROTOCOL,
        blockexc: BlockexcLimits | None = None,
        ids: tuple[str, ...] = IDS,
        transport: Transport | None = None,
        toll: Toll | None = None,
        events: EventBus | None = None,
    ) -> Node:
        """A node; with `blockexc` it speaks that too, under `ids`."""
        clock = self.clock
        transport = transport or make_transport(self.network, name)
        events, waits, store = events or EventBus(clock), Waits(clock), MemoryStore()
        finder = Finder(transport, clock, seeded_rng(0), events, waits=waits)
        exchange = Exchange(
            transport,
            store,
            finder,
            clock=clock,
            rng=seeded_rng(len(self.nodes)),
            events=events,
            waits=waits,
            protocol_id=protocol,
            limits=limits,
            dialect=None
            if blockexc is None
            else Blockexc(transport, store, Ids(ids, frozenset(ids[1:])), blockexc),
            toll=toll,
        )
        await transport.start()
        await exchange.start()
        node = Node(transport, store, events, waits, finder, exchange)
        self.nodes.append(node)
        return node

    async def stranger(
        self, name: str, behave: Callable[[Channel], Awaitable[None]]
    ) -> MemoryTransport:
        """A peer that speaks the protocol in its own way."""
        transport = make_transport(self.network, name)
        transport.serve(PROTOCOL, behave, max_message_bytes=MAX_MESSAGE_BYTES)
        await transport.start()
        self.liars.append(transport)
        return transport

    async def connect(self, node: Node, *others: Node | Transport) -> None:
        for other in others:
            transport = other.transport if isinstance(other, Node) else other
            await node.transport.dial(transport.peer_id, transport.listen_addresses(), soon())
            async with asyncio.timeout_at(soon()):  # the side that was dialled knows it later
                while all(c.peer != node.transport.peer_id for c in transport.connections()):
                    await asyncio.sleep(0.005)

    async def stop(self) -> None:
        for node in self.nodes:
            await node.exchange.stop()
            await node.finder.stop()
            await node.transport.stop(soon())
        for liar in self.liars:
            await liar.stop(soon())


@asynccontextmanager
async def world(network: MemoryNetwork | None = None) -> AsyncIterator[World]:
    it = World(network)
    try:
        yield it
    finally:
        await it.stop()


def soon(seconds: float = 10.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def until(fact: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not fact():
            await asyncio.sleep(0.002)


Request = HaveRequest | DataRequest


def answering(
    answer: Callable[[Request], list[ExchangeMessage] | bytes | None],
) -> Callable[[Channel], Awaitable[None]]:
    """A peer that answers each request with messages, with raw bytes, or not at all."""

    async def behave(channel: Channel) -> None:
        try:
            while True:
                request = decode_message(await channel.receive())
                if not isinstance(request, Request):
                    continue
                reply = answer(request)
                if isinstance(reply, bytes):
                    await channel.send(reply)
                    continue
                for message in reply or []:
                    await channel.send(*message.segments())
        except PeerGone:
            return

    return behave


async def fetch_all(node: Node, dataset_cid: object, data: bytes) -> None:
    dataset = await node.exchange.fetch_manifest(dataset_cid, soon())  # type: ignore[arg-type]
    await node.exchange.fetch(dataset).wait(soon(20))
    assert node.store.content(dataset) == data
