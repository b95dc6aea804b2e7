"""Messages between two real nodes: size, memory, and what a message is made of."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from conform.transport import ECHO, connect, echo, soon, until
from quire.base.errors import PeerGone, PeerLied
from quire.net.libp2p import Libp2pTransport
from quire.net.transport import Channel
from support.libp2p import QUIC, TCP, make_node, send_until_gone

MIB = 1 << 20
BIG = 16 * MIB

Pair = tuple[Libp2pTransport, Libp2pTransport]


@pytest_asyncio.fixture(params=[TCP, QUIC], ids=["tcp", "quic"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    nodes = make_node([request.param]), make_node([request.param])
    for node in nodes:
        node.serve(ECHO, echo, max_message_bytes=BIG)
        await node.start()
    await connect(*nodes)
    yield nodes
    for node in nodes:
        await node.stop(soon())


async def open_echo(pair: Pair) -> Channel:
    one, other = pair
    return await one.open(other.peer_id, ECHO, max_message_bytes=BIG, deadline=soon())


async def test_big_messages_pass_both_ways_at_once(pair: Pair) -> None:
    channel = await open_echo(pair)
    rng = random.Random(1)
    sizes = [0, 1, 8191, 8192, 65_536, 65_537, MIB, 3 * MIB + 1, BIG, 5]
    messages = [rng.randbytes(size) for size in sizes]

    async def send() -> None:
        for message in messages:
            await channel.send(message)

    sending = asyncio.ensure_future(send())
    async with asyncio.timeout(60):
        for message in messages:
            assert await channel.receive() == message
        await sending


async def test_thousands_of_small_messages_keep_their_order(pair: Pair) -> None:
    channel = await open_echo(pair)

    async def send() -> None:
        for number in range(20_000):
            await channel.send(number.to_bytes(4, "big"))

    sending = asyncio.ensure_future(send())
    async with asyncio.timeout(60):
        for number in range(20_000):
            assert await channel.receive() == number.to_bytes(4, "big")
        await sending


async def test_segments_of_every_kind_of_memory(pair: Pair) -> None:
    channel = await open_echo(pair)
    constant = random.Random(2).randbytes(50_000)
    changing = bytearray(constant)
    await channel.send(constant)
    received = await channel.receive()  # a view of a received message can be sent on
    segments = (
        b"",
        constant,
        changing,
        memoryview(constant)[7:40_000],
        memoryview(changing)[3:],
        memoryview(changing).toreadonly()[5:9_000],
        received,
        received[1:20_000],
        b"end",
    )
    expected = b"".join(segments)
    await channel.send(*segments)
    changing[:] = bytes(len(changing))  # was copied: the peer must not see this
    del constant, segments, received
    assert await channel.receive() == expected


async def test_what_is_no_buffer_is_refused(pair: Pair) -> None:
    channel = await open_echo(pair)
    for bad in ("text", 5, None, memoryview(bytes(100))[::2]):
        with pytest.raises((TypeError, BufferError, ValueError)):
            await channel.send(bad)  # type: ignore[arg-type]
    await channel.send(b"still works")
    assert await channel.receive() == b"still works"


async def test_a_received_message_cannot_be_written_to(pair: Pair) -> None:
    channel = await open_echo(pair)
    await channel.send(b"text")
    view = await channel.receive()
    assert view.readonly
    with pytest.raises(TypeError):
        view[0] = 1


async def test_a_receiver_that_does_not_read_stops_the_sender_in_bounded_memory(
    pair: Pair,
) -> None:
    one, other = pair
    go = asyncio.Event()
    received: list[int] = []

    async def lazy(channel: Channel) -> None:
        await go.wait()
        try:
            while True:
                received.append(len(await channel.receive()))
        except PeerGone:
            return

    other.serve("/quire-test/lazy/1.0.0", lazy, max_message_bytes=BIG)
    channel = await one.open(
        other.peer_id, "/quire-test/lazy/1.0.0", max_message_bytes=BIG, deadline=soon()
    )
    taken = 0

    async def flood() -> None:
        nonlocal taken
        for _ in range(1024):
            await channel.send(bytes(65_536))
            taken += 65_536
        channel.close()

    flooding = asyncio.ensure_future(flood())
    before = -1
    while before != taken:
        before = taken
        await asyncio.wait([flooding], timeout=0.3)
    # Two queues of 4 MiB, and the windows of stream and socket.
    assert 4 * MIB <= taken <= 40 * MIB
    # Another channel of the same connection is not held up.
    quick = await open_echo(pair)
    await quick.send(b"quick")
    async with asyncio.timeout(10):
        assert await quick.receive() == b"quick"
    go.set()
    async with asyncio.timeout(30):
        await flooding
    await until(lambda: len(received) == 1024)


async def test_a_message_above_the_limit_costs_the_channel_and_not_the_connection(
    pair: Pair,
) -> None:
    one, other = pair
    seen: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    async def strict(channel: Channel) -> None:
        try:
            assert await channel.receive() == b"fits"
            await channel.receive()
        except PeerLied as problem:
            seen.set_result(problem)

    other.serve("/quire-test/strict/1.0.0", strict, max_message_bytes=10)
    channel = await one.open(
        other.peer_id, "/quire-test/strict/1.0.0", max_message_bytes=BIG, deadline=soon()
    )
    await channel.send(b"fits")
    await channel.send(bytes(BIG))
    async with asyncio.timeout(10):
        assert "16777216 bytes where 10 are allowed" in str(await seen)
        await send_until_gone(channel)
    quick = await open_echo(pair)
    await quick.send(b"quick")
    assert await quick.receive() == b"quick"


async def test_messages_queued_before_closing_or_stopping_arrive(pair: Pair) -> None:
    one, other = pair
    sizes: list[int] = []

    async def count(channel: Channel) -> None:
        try:
            while True:
                sizes.append(len(await channel.receive()))
        except PeerGone:
            return

    other.serve("/quire-test/count/1.0.0", count, max_message_bytes=BIG)
    channel = await one.open(
        other.peer_id, "/quire-test/count/1.0.0", max_message_bytes=BIG, deadline=soon()
    )
    for _ in range(3):
        await channel.send(bytes(MIB))
    channel.close()
    del channel
    await until(lambda: len(sizes) == 3)
    channel = await one.open(
        other.peer_id, "/quire-test/count/1.0.0", max_message_bytes=BIG, deadline=soon()
    )
    for _ in range(3):
        await channel.send(bytes(MIB))
    await one.stop(soon())
    await until(lambda: len(sizes) == 6)


async def test_a_channel_that_nobody_holds_ends(pair: Pair) -> None:
    one, other = pair
    ended = asyncio.Event()

    async def wait_for_end(channel: Channel) -> None:
        try:
            await channel.receive()
        except PeerGone:
            ended.set()

    other.serve("/quire-test/held/1.0.0", wait_for_end, max_message_bytes=BIG)
    channel = await one.open(
        other.peer_id, "/quire-test/held/1.0.0", max_message_bytes=BIG, deadline=soon()
    )
    del channel
    async with asyncio.timeout(10):
        assert await ended.wait()


async def test_channels_to_one_peer_are_bounded_and_freed(pair: Pair) -> None:
    one, other = pair
    for _ in range(2):
        held = [await open_echo(pair) for _ in range(128)]
        with pytest.raises(Exception, match="too many channels"):
            await open_echo(pair)
        for channel in held:
            channel.abort("test")
        held.clear()
        async with asyncio.timeout(10):
            while True:
                try:
                    channel = await open_echo(pair)
                    await channel.send(b"x")
                    assert await channel.receive() == b"x"
                    break
                except Exception:
                    await asyncio.sleep(0.01)
        channel.abort("test")
        del channel
        # Both sides must have noticed before the next round.
        await asyncio.sleep(0.3)
    assert one.connections()
    assert other.connections()
