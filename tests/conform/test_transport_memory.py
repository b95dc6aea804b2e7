"""The in-memory transport conforms, and does what only it can do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

import pytest

from conform.transport import ECHO, MAX, TransportConformance, connect, echo, soon, until
from quire.base.errors import PeerGone, PeerSilent, PortInUse
from quire.net.memory import MemoryNetwork, MemoryTransport
from quire.net.memory_channel import Link, SteadyLink
from quire.net.transport import ProviderRecord
from support.networks import make_network, make_transport


class TestMemoryTransport(TransportConformance):
    @pytest.fixture
    def make_transport(self) -> Callable[[], MemoryTransport]:
        network, numbers = make_network(), count()
        return lambda: make_transport(network, str(next(numbers)))


async def pair(network: MemoryNetwork) -> tuple[MemoryTransport, MemoryTransport]:
    nodes = make_transport(network, "a"), make_transport(network, "b")
    for node in nodes:
        node.serve(ECHO, echo, max_message_bytes=MAX)
        await node.start()
    await connect(*nodes)
    return nodes


async def test_a_taken_address_is_an_error() -> None:
    network = make_network()
    await make_transport(network, "a").start()
    with pytest.raises(PortInUse):
        await make_transport(network, "a").start()


async def test_a_partition_stalls_and_healing_delivers() -> None:
    network = make_network()
    one, other = await pair(network)
    channel = await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
    network.partition(one.peer_id, other.peer_id)
    await channel.send(b"held")
    waiting = asyncio.ensure_future(channel.receive())
    await asyncio.wait([waiting], timeout=0.02)
    assert not waiting.done()
    with pytest.raises(PeerSilent):
        await one.open(
            other.peer_id,
            ECHO,
            max_message_bytes=MAX,
            deadline=asyncio.get_running_loop().time() + 0.01,
        )
    network.heal(one.peer_id, other.peer_id)
    assert bytes(await waiting) == b"held"
    await one.stop(soon())
    await other.stop(soon())


async def test_a_crash_ends_all_channels_at_the_others() -> None:
    network = make_network()
    one, other = await pair(network)
    channel = await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
    network.crash(other.peer_id)
    with pytest.raises(PeerGone):
        await channel.receive()
    assert not one.connections()
    with pytest.raises(PeerSilent):
        await connect(one, other)


async def test_a_silent_crash_is_noticed_later() -> None:
    network = make_network()
    one, other = await pair(network)
    network.crash(other.peer_id, notice_seconds=0.01)
    assert one.connections()
    await until(lambda: not one.connections())


async def test_a_crashed_node_may_return_under_its_address() -> None:
    network = make_network()
    one, other = await pair(network)
    network.crash(other.peer_id)
    again = make_transport(network, "b")
    again.serve(ECHO, echo, max_message_bytes=MAX)
    await again.start()
    await connect(one, again)
    channel = await one.open(again.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
    await channel.send(b"hello again")
    assert bytes(await channel.receive()) == b"hello again"


async def test_a_link_delays_and_keeps_the_order() -> None:
    network = make_network(lambda sender, receiver: SteadyLink(0.005, 1e6))
    one, other = await pair(network)
    channel = await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
    began = asyncio.get_running_loop().time()
    for size in (5000, 1, 0):
        await channel.send(bytes(size))
    assert [len(await channel.receive()) for _ in range(3)] == [5000, 1, 0]
    assert asyncio.get_running_loop().time() - began >= 0.02
    await one.stop(soon())


async def test_a_link_may_break_the_connection() -> None:
    class Brittle(Link):
        def breaks(self, size_bytes: int, now: float) -> bool:
            return size_bytes > 10

    network = make_network(lambda sender, receiver: Brittle())
    one, other = await pair(network)
    channel = await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
    await channel.send(b"short")
    with pytest.raises(PeerGone):
        await channel.send(b"long enough to break it")
    assert not one.connections()
    assert not other.connections()


async def test_provider_records_expire_and_can_be_withdrawn() -> None:
    network = make_network()
    one = MemoryTransport(network, "peer-a", "/memory/a", record_seconds=0.02)
    other = make_transport(network, "b")
    await one.start()
    await other.start()
    await connect(one, other)
    found: list[ProviderRecord] = []
    assert await one.provide(b"key", soon()) == 1
    await other.find_providers(b"key", soon(), found.append)
    assert found == [ProviderRecord("peer-a", ("/memory/a",))]
    await asyncio.sleep(0.03)
    found.clear()
    await other.find_providers(b"key", soon(), found.append)
    assert found == []
