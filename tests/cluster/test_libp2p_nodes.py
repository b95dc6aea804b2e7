"""Real nodes that start, stop, fail, vanish, and meet strangers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from conform.transport import ECHO, MAX, connect, echo, soon, until
from quire.base.clock import SystemClock
from quire.base.errors import BadConfig, PeerGone, PeerRefused, PeerSilent, PortInUse
from quire.base.events import EventBus
from quire.base.rng import seeded_rng
from quire.net.connector import Connector
from quire.net.identity import Identity
from quire.net.known_peer import KnownPeer, own_spr, parse_known_peer
from quire.net.libp2p import Libp2pTransport
from quire.net.transport import ProviderRecord
from support.libp2p import QUIC, TCP, make_node, send_until_gone

Start = Callable[..., Awaitable[Libp2pTransport]]


@pytest_asyncio.fixture
async def start() -> AsyncIterator[Start]:
    """A function that makes and starts a node; all are stopped after the test."""
    running: list[Libp2pTransport] = []

    async def begin(*listen: str, **options: Any) -> Libp2pTransport:
        node = make_node(listen or (TCP,), **options)
        node.serve(ECHO, echo, max_message_bytes=MAX)
        running.append(node)
        await node.start()
        return node

    yield begin
    for node in running:
        await node.stop(soon())


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


async def test_a_hundred_nodes_leave_no_thread_and_no_file() -> None:
    async def live(listen: str) -> None:
        one, other = make_node([listen]), make_node([listen])
        for node in (one, other):
            node.serve(ECHO, echo, max_message_bytes=MAX)
            await node.start()
        await connect(one, other)
        channel = await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
        await channel.send(b"x")
        await channel.receive()
        await one.stop(soon())
        await other.stop(soon())

    await live(TCP)
    await live(QUIC)
    before = open_files(), threads()
    for number in range(49):
        await live(TCP if number % 2 else QUIC)
    # A timer that fires late keeps what it would have woken for some milliseconds.
    await until(lambda: open_files() <= before[0])
    assert threads() <= before[1]


async def test_stopping_twice_and_before_starting_does_no_harm() -> None:
    node = make_node()
    await node.stop(soon())
    await node.start()
    await node.stop(soon())
    await node.stop(soon())
    assert node.connections() == []
    assert node.listen_addresses() == []
    with pytest.raises(PeerGone):
        await node.dial(node.peer_id, [], soon())
    with pytest.raises(PeerGone):
        await node.provide(b"key", soon())


async def test_stopping_ends_what_waits(start: Start) -> None:
    one, other = await start(), await start()
    await connect(one, other)
    channel = await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
    receiving = asyncio.ensure_future(channel.receive())
    dialling = asyncio.ensure_future(
        one.dial(make_node().peer_id, ["/ip4/192.0.2.1/tcp/1"], soon())
    )
    await asyncio.sleep(0.05)
    await one.stop(soon())
    for waiting in (receiving, dialling):
        with pytest.raises((PeerGone, PeerSilent)):
            await waiting
    with pytest.raises(PeerGone):
        await channel.send(b"x")


async def test_a_node_that_is_dropped_without_stopping_ends() -> None:
    code = (
        "import asyncio, sys; from support.libp2p import make_node\n"
        "async def main():\n    node = make_node(); await node.start()\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        timeout=30,
        capture_output=True,
        text=True,
        env=child_environment(),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def child_environment() -> dict[str, str]:
    root = Path(__file__).parents[2]
    return os.environ | {"PYTHONPATH": f"{root / 'src'}:{root / 'tests'}"}


@pytest.mark.parametrize("kind", [TCP, QUIC])
async def test_a_taken_port_is_an_error_that_names_the_address(start: Start, kind: str) -> None:
    taken = (await start(kind)).listen_addresses()[0]
    before = threads()
    node = make_node([TCP, taken])
    with pytest.raises(PortInUse, match=taken):
        await node.start()
    assert threads() == before


@pytest.mark.parametrize(
    "address",
    [
        "",
        "8070",
        "/ip4/127.0.0.1",
        "/ip4/127.0.0.1/tcp/99999",
        "/ip4/127.0.0.1/udp/0",
        "/dns4/localhost/tcp/0",
        "/ip4/192.0.2.1/tcp/0",
        "/ip4/192.0.2.1/udp/0/quic-v1",
    ],
)
async def test_an_address_to_listen_on_that_cannot_be_used(address: str) -> None:
    with pytest.raises(BadConfig, match="cannot listen on"):
        await make_node([address]).start()


async def test_listening_everywhere_names_real_addresses(start: Start) -> None:
    node = await start("/ip4/0.0.0.0/tcp/0", "/ip4/0.0.0.0/udp/0/quic-v1")
    await until(lambda: any("quic-v1" in a for a in node.listen_addresses()))
    assert not [a for a in node.listen_addresses() if "0.0.0.0" in a]
    other = await start()
    await connect(other, node)


async def test_a_host_name_is_resolved(start: Start) -> None:
    one, other = await start(), await start()
    port = other.listen_addresses()[0].rsplit("/", 1)[1]
    await one.dial(other.peer_id, [f"/dns4/localhost/tcp/{port}/p2p/{other.peer_id}"], soon())
    with pytest.raises(PeerSilent):
        await one.dial(make_node().peer_id, ["/dns4/no-such-host.invalid/tcp/1"], soon())


@pytest.mark.parametrize(
    "address",
    [
        "/ip4/192.0.2.1/tcp/9",
        "/ip4/192.0.2.1/udp/9/quic-v1",
        "/ip4/127.0.0.1/tcp/1",
    ],
)
async def test_a_dead_address_ends_within_the_deadline(start: Start, address: str) -> None:
    node = await start()
    loop = asyncio.get_running_loop()
    with pytest.raises(PeerSilent, match=address.split("/")[2]):
        await node.dial(make_node().peer_id, [address], loop.time() + 0.5)


async def test_a_peer_that_accepts_and_says_nothing_is_silent(start: Start) -> None:
    node = await start()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PeerSilent):
            await node.dial(
                make_node().peer_id,
                [f"/ip4/127.0.0.1/tcp/{port}"],
                asyncio.get_running_loop().time() + 0.5,
            )


async def test_an_unknown_peer_without_address_is_silent(start: Start) -> None:
    node = await start()
    with pytest.raises(PeerSilent):
        await node.dial(make_node().peer_id, [], soon())


async def test_dialling_oneself_is_refused(start: Start) -> None:
    node = await start()
    with pytest.raises((PeerRefused, PeerSilent)):
        await node.dial(node.peer_id, node.listen_addresses(), soon())


async def test_garbage_on_the_socket_disturbs_nobody(start: Start) -> None:
    one, other = await start(), await start()
    await connect(one, other)
    port = int(other.listen_addresses()[0].rsplit("/", 1)[1])
    rng = random.Random(3)
    hello = b"\x13/multistream/1.0.0\n\x07/noise\n"
    for start_of in (b"", hello, hello + b"\xff\xff", b"\xff" * 64, b"GET / HTTP/1.1\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(start_of + rng.randbytes(100_000))
        async with asyncio.timeout(15):
            with contextlib.suppress(OSError):  # the node may hang up at any byte
                writer.write_eof()
                while await reader.read(65_536):
                    pass
        writer.close()
    channel = await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
    await channel.send(b"still here")
    assert await channel.receive() == b"still here"
    assert len(other.connections()) == 1


async def test_a_killed_peer_is_gone_on_open_channels(start: Start) -> None:
    node = await start()
    child = subprocess.Popen(
        [sys.executable, "-m", "support.libp2p_child"],
        text=True,
        stdout=subprocess.PIPE,
        env=child_environment(),
    )
    try:
        assert child.stdout is not None
        peer, address = child.stdout.readline().split()
        left: list[str] = []
        node.on_peer_left(left.append)
        await node.dial(peer, [address], soon())
        channels = [
            await node.open(peer, ECHO, max_message_bytes=MAX, deadline=soon()) for _ in range(3)
        ]
        await channels[0].send(b"x")
        assert await channels[0].receive() == b"x"
        child.kill()
        async with asyncio.timeout(10):
            for channel in channels:
                with pytest.raises(PeerGone):
                    await channel.receive()
                await send_until_gone(channel)
        await until(lambda: left == [peer])
        assert node.connections() == []
        with pytest.raises(PeerGone):
            await node.open(peer, ECHO, max_message_bytes=MAX, deadline=soon())
        with pytest.raises(PeerSilent):
            await node.dial(peer, [address], soon())
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


async def test_a_ban_ends_by_itself(start: Start) -> None:
    one, other = await start(), await start()
    one.ban(other.peer_id, 0.3, "test")
    with pytest.raises(PeerRefused, match=r"banned here for another .* test"):
        await connect(one, other)
    async with asyncio.timeout(10):
        while True:
            try:
                await connect(one, other)
                break
            except PeerRefused:
                await asyncio.sleep(0.05)


async def test_connections_are_limited(start: Start) -> None:
    hub = await start(max_connections=3)
    spokes = [await start() for _ in range(5)]
    for spoke in spokes:
        try:
            await connect(spoke, hub)
        except (PeerRefused, PeerSilent):
            continue
    await until(lambda: sum(len(spoke.connections()) for spoke in spokes) == 3)
    assert len(hub.connections()) == 3


async def test_agent_and_protocols_of_a_peer_are_known(start: Start) -> None:
    one, other = await start(), await start(agent="somebody/1.2.3")
    await connect(one, other)
    await until(lambda: one.connections()[0].agent == "somebody/1.2.3")
    assert ECHO in one.connections()[0].protocols
    assert one.connections()[0].address == other.listen_addresses()[0]
    assert one.connections()[0].since > 1e9


async def test_a_provider_is_found_through_others_and_withdrawal_ends_it(start: Start) -> None:
    """Four nodes in a row: the last finds what the first has, and where to reach it."""
    row = [await start() for _ in range(4)]
    for one, other in pairwise(row):
        await connect(one, other)
    await until(lambda: all(info.agent for node in row for info in node.connections()))
    key = bytes.fromhex("01819a031220") + bytes(32)
    assert await row[0].provide(key, soon()) >= 1
    found: list[ProviderRecord] = []

    async def search() -> bool:
        found.clear()
        await row[3].find_providers(key, soon(), found.append)
        return bool(found)

    async with asyncio.timeout(10):
        while not await search():
            await asyncio.sleep(0.05)
    (record,) = found
    assert record.peer == row[0].peer_id
    assert set(record.addresses) >= set(row[0].listen_addresses())
    await row[3].dial(record.peer, record.addresses, soon())
    await row[0].withdraw(key)
    local: list[ProviderRecord] = []
    await row[0].find_providers(key, soon(), local.append)
    assert row[0].peer_id not in [found.peer for found in local]


async def test_a_peer_known_to_the_routing_table_is_dialled_without_addresses(
    start: Start,
) -> None:
    one, middle, other = await start(), await start(), await start()
    await connect(one, middle)
    await connect(other, middle)
    nodes = (one, middle, other)
    await until(lambda: all(info.agent for node in nodes for info in node.connections()))
    await one.dial(other.peer_id, [], soon())


async def test_networks_with_other_routing_protocols_do_not_mix_records(start: Start) -> None:
    one, other = await start(), await start(kad_protocol="/quire-test/other/1.0.0")
    await connect(one, other)
    await until(lambda: bool(one.connections()[0].agent))
    assert await one.provide(b"\x12\x20" + bytes(32), soon()) == 0


async def test_bootstrap_by_signed_record_over_real_sockets(start: Start) -> None:
    identity = Identity.of(bytes(31) + b"\x07")
    clock = SystemClock()
    other = Libp2pTransport(
        identity,
        listen=[TCP, QUIC],
        agent="x",
        kad_protocol="/quire-test/kad/1.0.0",
        clock=clock,
        events=EventBus(clock),
    )
    await other.start()
    one = await start()
    text = own_spr(identity, other.listen_addresses(), clock.now())
    assert text is not None
    known = parse_known_peer(text)
    assert known == KnownPeer(identity.peer_id, tuple(other.listen_addresses()))
    connector = Connector(
        one, None, [known], clock=clock, rng=seeded_rng(1), events=EventBus(clock)
    )
    await connector.start()
    await until(lambda: [c.peer for c in one.connections()] == [identity.peer_id])
    await connector.stop()
    await other.stop(soon())
