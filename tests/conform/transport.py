"""What every `Transport` must do. Subclass and give a `make_transport` fixture.

`make_transport` returns a function that makes one fresh node, not started, listening on an address
of its own on this machine. The suite starts and stops what it makes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from quire.base.errors import (
    PeerError,
    PeerGone,
    PeerLied,
    PeerRefused,
    PeerSilent,
    ProtocolMismatch,
    TooLarge,
)
from quire.net.transport import Channel, ProviderRecord, Transport

ECHO = "/quire-test/echo/1.0.0"
MAX = 1 << 20
PATIENCE = 10.0

Start = Callable[[], Awaitable[Transport]]


def soon() -> float:
    return asyncio.get_running_loop().time() + PATIENCE


async def echo(channel: Channel) -> None:
    """Send everything back until the other side ends."""
    while True:
        try:
            message = await channel.receive()
        except PeerGone:
            return
        await channel.send(message)


async def connect(one: Transport, other: Transport) -> None:
    await one.dial(other.peer_id, other.listen_addresses(), soon())


async def until(fact: Callable[[], bool]) -> None:
    """Wait until a fact holds that another node makes true."""
    async with asyncio.timeout(PATIENCE):
        while not fact():
            await asyncio.sleep(0.005)


class TransportConformance:
    """The suite; pytest collects it through its subclasses."""

    @pytest.fixture
    def make_transport(self) -> Callable[[], Transport]:
        raise NotImplementedError

    @pytest_asyncio.fixture
    async def start(self, make_transport: Callable[[], Transport]) -> AsyncIterator[Start]:
        """A function that makes and starts a node; all are stopped after the test."""
        running: list[Transport] = []

        async def begin() -> Transport:
            node = make_transport()
            node.serve(ECHO, echo, max_message_bytes=MAX)
            await node.start()
            running.append(node)
            return node

        yield begin
        for node in running:
            await node.stop(soon())

    async def test_messages_arrive_whole_and_in_order(self, start: Start) -> None:
        one, other = await start(), await start()
        await connect(one, other)
        channel = await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
        assert (channel.peer, channel.protocol) == (other.peer_id, ECHO)
        sent = [b"", b"a", bytes(range(256)) * 300, b"last"]
        for message in sent:
            await channel.send(message)
        assert [bytes(await channel.receive()) for _ in sent] == sent

    async def test_on_a_private_network_what_a_node_listens_at_is_announced(
        self, start: Start
    ) -> None:
        one, other = await start(), await start()
        await connect(one, other)
        for node in (one, other):
            reach = node.reachability()
            assert reach.status == "unknown"
            assert set(reach.announced) == set(node.listen_addresses())
            assert len(set(reach.announced)) == len(reach.announced)
            assert (reach.verified, reach.relays, reach.upgraded) == ((), (), ())

    async def test_segments_are_joined_into_one_message(self, start: Start) -> None:
        one, other = await start(), await start()
        await connect(one, other)
        channel = await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
        await channel.send(b"head", bytearray(b"er"), memoryview(b"-payload-")[1:8])
        assert bytes(await channel.receive()) == b"headerpayload"

    async def test_a_message_of_exactly_the_limit_passes(self, start: Start) -> None:
        one, other = await start(), await start()
        await connect(one, other)
        channel = await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
        await channel.send(b"x" * MAX)
        assert len(await channel.receive()) == MAX

    async def test_a_message_above_the_limit_is_refused_before_sending(self, start: Start) -> None:
        one, other = await start(), await start()
        await connect(one, other)
        channel = await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
        with pytest.raises(TooLarge):
            await channel.send(b"x" * MAX, b"x")
        await channel.send(b"still works")
        assert bytes(await channel.receive()) == b"still works"

    async def test_receiving_a_message_above_the_limit_blames_the_peer(self, start: Start) -> None:
        one, other = await start(), await start()
        await connect(one, other)
        channel = await one.open(other.peer_id, ECHO, max_message_bytes=100, deadline=soon())
        await channel.send(b"x" * 100)
        await channel.receive()
        caught: asyncio.Future[PeerError] = asyncio.get_running_loop().create_future()

        async def small(channel: Channel) -> None:
            try:
                await channel.receive()
            except PeerError as problem:
                caught.set_result(problem)

        other.serve("/quire-test/small/1.0.0", small, max_message_bytes=10)
        wide = await one.open(
            other.peer_id, "/quire-test/small/1.0.0", max_message_bytes=MAX, deadline=soon()
        )
        await wide.send(b"x" * 1000)
        async with asyncio.timeout(PATIENCE):
            assert isinstance(await caught, PeerLied)

    async def test_many_channels_at_once_do_not_mix(self, start: Start) -> None:
        one, other = await start(), await start()
        await connect(one, other)

        async def talk(number: int) -> None:
            channel = await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
            for turn in range(5):
                await channel.send(f"{number}/{turn}".encode())
                assert bytes(await channel.receive()) == f"{number}/{turn}".encode()
            channel.close()

        await asyncio.gather(*(talk(number) for number in range(20)))

    async def test_both_sides_may_open_channels(self, start: Start) -> None:
        one, other = await start(), await start()
        await connect(one, other)
        await until(lambda: bool(other.connections()))
        channel = await other.open(one.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
        await channel.send(b"back")
        assert bytes(await channel.receive()) == b"back"

    async def test_closing_ends_the_stream_after_what_was_sent(self, start: Start) -> None:
        one, other = await start(), await start()
        await connect(one, other)
        channel = await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
        await channel.send(b"before the end")
        channel.close()
        assert bytes(await channel.receive()) == b"before the end"
        with pytest.raises(PeerGone):
            await channel.receive()
        with pytest.raises(PeerGone):
            await channel.send(b"after the end")

    async def test_aborting_ends_both_directions(self, start: Start) -> None:
        one, other = await start(), await start()
        ended = asyncio.Event()

        async def listen(channel: Channel) -> None:
            try:
                while True:
                    await channel.receive()
            except PeerGone:
                ended.set()

        other.serve("/quire-test/abort/1.0.0", listen, max_message_bytes=MAX)
        await connect(one, other)
        channel = await one.open(
            other.peer_id, "/quire-test/abort/1.0.0", max_message_bytes=MAX, deadline=soon()
        )
        await channel.send(b"x")
        channel.abort("test")
        channel.abort("twice does no harm")
        with pytest.raises(PeerGone):
            await channel.receive()
        with pytest.raises(PeerGone):
            await channel.send(b"x")
        async with asyncio.timeout(PATIENCE):
            await ended.wait()

    async def test_a_waiting_receive_ends_when_the_channel_is_aborted(self, start: Start) -> None:
        one, other = await start(), await start()
        await connect(one, other)
        channel = await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
        waiting = asyncio.ensure_future(channel.receive())
        await asyncio.sleep(0)
        channel.abort("test")
        with pytest.raises(PeerGone):
            await waiting

    async def test_a_sender_waits_for_a_receiver_that_does_not_read(self, start: Start) -> None:
        one, other = await start(), await start()
        go, received = asyncio.Event(), []

        async def lazy(channel: Channel) -> None:
            await go.wait()
            try:
                while True:
                    received.append(len(await channel.receive()))
            except PeerGone:
                return

        other.serve("/quire-test/lazy/1.0.0", lazy, max_message_bytes=MAX)
        await connect(one, other)
        channel = await one.open(
            other.peer_id, "/quire-test/lazy/1.0.0", max_message_bytes=MAX, deadline=soon()
        )
        sent = 0

        async def flood() -> None:
            nonlocal sent
            for _ in range(64):
                await channel.send(bytes(MAX))
                sent += 1

        flooding = asyncio.ensure_future(flood())
        await asyncio.wait([flooding], timeout=1.0)
        assert sent < 48, "64 MiB were taken although nobody reads"
        go.set()
        async with asyncio.timeout(PATIENCE):
            await flooding
        await until(lambda: len(received) == 64)

    async def test_a_cancelled_receive_loses_no_message(self, start: Start) -> None:
        one, other = await start(), await start()
        await connect(one, other)
        channel = await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
        for number in range(20):
            waiting = asyncio.ensure_future(channel.receive())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
            await channel.send(str(number).encode())
            assert bytes(await channel.receive()) == str(number).encode()

    async def test_an_unknown_protocol_is_a_mismatch(self, start: Start) -> None:
        one, other = await start(), await start()
        await connect(one, other)
        with pytest.raises(ProtocolMismatch):
            await one.open(
                other.peer_id, "/quire-test/unknown/1.0.0", max_message_bytes=MAX, deadline=soon()
            )

    async def test_opening_to_a_stranger_says_gone(self, start: Start) -> None:
        one, other = await start(), await start()
        with pytest.raises(PeerGone):
            await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())

    async def test_joining_and_leaving_are_told_once_on_both_sides(self, start: Start) -> None:
        one, other = await start(), await start()
        told: list[tuple[str, str, str]] = []
        for name, node in (("one", one), ("other", other)):
            node.on_peer_joined(lambda peer, name=name: told.append((name, "joined", peer)))
            node.on_peer_left(lambda peer, name=name: told.append((name, "left", peer)))
        await connect(one, other)
        await connect(one, other)
        await until(lambda: len(told) == 2)
        assert sorted(told) == [("one", "joined", other.peer_id), ("other", "joined", one.peer_id)]
        assert [(c.peer, c.outgoing) for c in one.connections()] == [(other.peer_id, True)]
        assert [(c.peer, c.outgoing) for c in other.connections()] == [(one.peer_id, False)]
        told.clear()
        one.hang_up(other.peer_id)
        await until(lambda: len(told) == 2)
        assert sorted(told) == [("one", "left", other.peer_id), ("other", "left", one.peer_id)]
        assert not one.connections()
        assert not other.connections()

    async def test_a_stopped_node_is_gone_for_the_others(self, start: Start) -> None:
        one, other = await start(), await start()
        await connect(one, other)
        channel = await one.open(other.peer_id, ECHO, max_message_bytes=MAX, deadline=soon())
        await other.stop(soon())
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(PeerGone):
                await channel.receive()
        await until(lambda: not one.connections())

    async def test_dialling_where_nobody_listens_says_silent(self, start: Start) -> None:
        one, other = await start(), await start()
        addresses = other.listen_addresses()
        await other.stop(soon())
        with pytest.raises(PeerSilent):
            await one.dial(other.peer_id, addresses, asyncio.get_running_loop().time() + 2)

    async def test_dialling_the_wrong_peer_is_refused(self, start: Start) -> None:
        one, other, third = await start(), await start(), await start()
        with pytest.raises(PeerRefused):
            await one.dial(third.peer_id, other.listen_addresses(), soon())

    async def test_a_banned_peer_is_refused_in_both_directions(self, start: Start) -> None:
        one, other = await start(), await start()
        await connect(one, other)
        one.ban(other.peer_id, 3600, "test")
        await until(lambda: not other.connections() and not one.connections())
        with pytest.raises(PeerRefused):
            await connect(one, other)
        # The dialler may learn of the refusal only after its handshake: then the connection ends.
        with contextlib.suppress(PeerError):
            await other.dial(one.peer_id, one.listen_addresses(), soon())
        await until(lambda: not other.connections())
        assert not one.connections()

    async def test_a_provider_is_found_by_another_node(self, start: Start) -> None:
        one, other, third = await start(), await start(), await start()
        await connect(one, other)
        await connect(third, other)
        await until(lambda: len(other.connections()) == 2)
        key = b"\x01\x81\x9a\x03\x12\x20" + bytes(32)
        await self._settle(one, other, third)
        assert await one.provide(key, soon()) >= 1
        found: list[ProviderRecord] = []
        await third.find_providers(key, soon(), found.append)
        assert [record.peer for record in found if record.peer != third.peer_id] == [one.peer_id]
        await third.dial(one.peer_id, found[0].addresses, soon())

    async def test_a_search_for_what_nobody_has_ends_empty(self, start: Start) -> None:
        one, other = await start(), await start()
        await connect(one, other)
        await self._settle(one, other)
        found: list[ProviderRecord] = []
        await one.find_providers(b"\x12\x20" + bytes(32), soon(), found.append)
        assert found == []

    async def test_a_lonely_node_provides_to_nobody(self, start: Start) -> None:
        one = await start()
        assert await one.provide(b"\x12\x20" + bytes(32), soon()) == 0
        await one.withdraw(b"\x12\x20" + bytes(32))

    async def _settle(self, *nodes: Transport) -> None:
        """Give routing tables time to fill; a subclass overrides this where that takes time."""
