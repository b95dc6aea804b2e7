"""What requests over long-lived channels do on every transport. Give a `make_transport` fixture."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest
import pytest_asyncio

from conform.transport import connect, soon, until
from quire.base.clock import SystemClock
from quire.base.errors import (
    NotFound,
    PeerBusy,
    PeerGone,
    PeerLied,
    PeerRefused,
    PeerSilent,
    ProtocolMismatch,
    TooLarge,
)
from quire.base.events import EventBus
from quire.formats.varint import Buffer
from quire.net.answering import Answering, Handler, serve_requests
from quire.net.request_frames import request_head
from quire.net.requests import Requests
from quire.net.transport import Channel, PeerId, Transport

ASK = "/quire-test/ask/1.0.0"
MAX = 1 << 20

Start = Callable[[], Awaitable[Transport]]


class Desk:
    """A handler whose answers wait until they are let go, where the question says so."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.release = asyncio.Event()

    async def __call__(self, peer: PeerId, payload: memoryview) -> Sequence[Buffer]:
        question = bytes(payload)
        self.asked.append(question)
        if question.startswith(b"slow"):
            await self.release.wait()
        if question == b"missing":
            raise NotFound("there is no such thing here")
        if question == b"mistake":
            raise ZeroDivisionError
        if question == b"huge":
            return (bytes(MAX), b"x" * 100)
        return (b"re: ", payload)


def serve(node: Transport, handler: Handler, **limits: int) -> Answering:
    bus = EventBus(SystemClock())
    return serve_requests(node, ASK, handler, bus, max_message_bytes=MAX, **limits)


class RequestsConformance:
    """The suite; pytest collects it through its subclasses."""

    @pytest.fixture
    def make_transport(self) -> Callable[[], Transport]:
        raise NotImplementedError

    @pytest_asyncio.fixture
    async def start(self, make_transport: Callable[[], Transport]) -> AsyncIterator[Start]:
        running: list[Transport] = []

        async def begin() -> Transport:
            node = make_transport()
            await node.start()
            running.append(node)
            return node

        yield begin
        for node in running:
            await node.stop(soon())

    async def pair(self, start: Start) -> tuple[Transport, Transport]:
        one, other = await start(), await start()
        await connect(one, other)
        return one, other

    async def ask(self, requests: Requests, to: Transport, question: bytes) -> bytes:
        answer = await requests.ask(
            to.peer_id, ASK, (question,), deadline=soon(), max_message_bytes=MAX
        )
        return bytes(answer)

    async def test_many_answers_come_over_one_channel_in_any_order(self, start: Start) -> None:
        one, other = await self.pair(start)
        desk, requests = Desk(), Requests(one)
        serve(other, desk)
        slow = asyncio.ensure_future(self.ask(requests, other, b"slow"))
        await until(lambda: desk.asked == [b"slow"])
        quick = await asyncio.gather(*(self.ask(requests, other, b"%d" % i) for i in range(20)))
        assert quick == [b"re: %d" % i for i in range(20)]
        desk.release.set()
        assert await slow == b"re: slow"
        assert requests.open_channels() == [(other.peer_id, ASK)]
        requests.stop()

    async def test_a_peer_that_is_not_connected_is_dialled(self, start: Start) -> None:
        one, other = await start(), await start()
        serve(other, Desk())
        requests = Requests(one)
        answer = await requests.ask(
            other.peer_id,
            ASK,
            (b"hel", b"lo"),
            deadline=soon(),
            max_message_bytes=MAX,
            addresses=other.listen_addresses(),
        )
        assert bytes(answer) == b"re: hello"
        requests.stop()

    async def test_an_error_of_the_handler_is_an_answer_and_the_channel_goes_on(
        self, start: Start
    ) -> None:
        one, other = await self.pair(start)
        serve(other, Desk())
        requests = Requests(one)
        for question, words in (
            (b"missing", "there is no such thing"),
            (b"mistake", "made a mistake"),
            (b"huge", "too large"),
        ):
            with pytest.raises(PeerRefused, match=words):
                await self.ask(requests, other, question)
        assert await self.ask(requests, other, b"still there") == b"re: still there"
        requests.stop()

    async def test_a_peer_above_its_limit_is_told_when_to_come_again(self, start: Start) -> None:
        one, other = await self.pair(start)
        desk, requests = Desk(), Requests(one)
        serve(other, desk, in_flight_per_peer=2)
        slow = [asyncio.ensure_future(self.ask(requests, other, b"slow%d" % i)) for i in range(2)]
        await until(lambda: len(desk.asked) == 2)
        with pytest.raises(PeerBusy, match="2 of your requests are under way") as caught:
            await self.ask(requests, other, b"one more")
        assert caught.value.facts["retry_after_seconds"] == 1.0
        desk.release.set()
        assert await asyncio.gather(*slow) == [b"re: slow0", b"re: slow1"]
        assert await self.ask(requests, other, b"again") == b"re: again"
        requests.stop()

    async def test_who_asks_bounds_what_is_outstanding(self, start: Start) -> None:
        one, other = await self.pair(start)
        desk, requests = Desk(), Requests(one, outstanding_per_peer=3)
        serve(other, desk)
        asked = [asyncio.ensure_future(self.ask(requests, other, b"slow%d" % i)) for i in range(9)]
        await until(lambda: len(desk.asked) == 3)
        with pytest.raises(PeerSilent):
            await requests.ask(
                other.peer_id,
                ASK,
                (b"no place",),
                deadline=asyncio.get_running_loop().time() + 0.05,
                max_message_bytes=MAX,
            )
        assert len(desk.asked) == 3
        desk.release.set()
        assert await asyncio.gather(*asked) == [b"re: slow%d" % i for i in range(9)]
        requests.stop()

    async def test_a_late_answer_harms_nobody(self, start: Start) -> None:
        one, other = await self.pair(start)
        desk, requests = Desk(), Requests(one)
        serve(other, desk)
        with pytest.raises(PeerSilent):
            await requests.ask(
                other.peer_id,
                ASK,
                (b"slow",),
                deadline=asyncio.get_running_loop().time() + 0.1,
                max_message_bytes=MAX,
            )
        desk.release.set()
        assert await self.ask(requests, other, b"next") == b"re: next"
        requests.stop()

    async def test_all_that_wait_learn_that_the_channel_ended_and_it_opens_again(
        self, start: Start
    ) -> None:
        one, other = await self.pair(start)
        desk, requests = Desk(), Requests(one)
        serve(other, desk)
        asked = [asyncio.ensure_future(self.ask(requests, other, b"slow%d" % i)) for i in range(3)]
        await until(lambda: len(desk.asked) == 3)
        other.hang_up(one.peer_id)
        ended = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(each) for each in ended] == [PeerGone] * 3
        desk.release.set()
        await until(lambda: not one.connections() and not other.connections())
        await connect(one, other)
        assert await self.ask(requests, other, b"again") == b"re: again"
        requests.stop()

    async def test_an_idle_channel_is_closed_and_opens_again(self, start: Start) -> None:
        one, other = await self.pair(start)
        requests = Requests(one, idle_seconds=0.02)
        serve(other, Desk())
        assert await self.ask(requests, other, b"one") == b"re: one"
        await until(lambda: requests.open_channels() == [])
        assert await self.ask(requests, other, b"two") == b"re: two"
        requests.stop()

    async def test_stopping_tells_both_sides(self, start: Start) -> None:
        one, other = await self.pair(start)
        desk, requests = Desk(), Requests(one)
        answering = serve(other, desk)
        slow = asyncio.ensure_future(self.ask(requests, other, b"slow"))
        await until(lambda: len(desk.asked) == 1)
        await answering.stop()
        with pytest.raises(PeerBusy, match="stopping"):
            await self.ask(requests, other, b"too late")
        requests.stop()
        with pytest.raises(PeerGone):
            await slow
        with pytest.raises(PeerGone):
            await self.ask(requests, other, b"after the end")

    async def test_who_reads_no_answers_keeps_nobody_from_being_answered(
        self, start: Start
    ) -> None:
        other, reader = await start(), await start()
        answer, answered = bytes(MAX - 100), 0

        async def desk(peer: PeerId, payload: memoryview) -> Sequence[Buffer]:
            nonlocal answered
            answered += bytes(payload) == b"for nothing"
            return (answer,) if bytes(payload) == b"for nothing" else (b"re: ", payload)

        bus = EventBus(SystemClock())
        answering = Answering(ASK, desk, bus, in_flight=4, unread=24)
        other.serve(ASK, answering.serve, max_message_bytes=MAX + 64)
        deaf = [await start() for _ in range(3)]
        channels = []
        for node in deaf:
            await connect(node, other)
            channel = await node.open(
                other.peer_id, ASK, max_message_bytes=MAX + 64, deadline=soon()
            )
            channels.append(channel)
        for channel in channels:
            with contextlib.suppress(PeerGone):  # it was cut
                for seq in range(1, 30):
                    await channel.send(request_head(seq), b"for nothing")
        await until(lambda: answered >= 24)
        await connect(reader, other)
        requests = Requests(reader)
        assert await self.ask(requests, other, b"hello") == b"re: hello"
        requests.stop()
        for channel in channels:
            channel.abort("the test is over")
        await answering.stop()

    async def test_a_request_above_the_limit_is_refused_here(self, start: Start) -> None:
        one, other = await self.pair(start)
        serve(other, Desk())
        requests = Requests(one)
        with pytest.raises(TooLarge):
            await self.ask(requests, other, bytes(MAX + 100))
        assert await self.ask(requests, other, b"small") == b"re: small"
        requests.stop()

    async def test_who_does_not_speak_the_protocol_is_named(self, start: Start) -> None:
        one, other = await self.pair(start)
        requests = Requests(one)
        with pytest.raises(ProtocolMismatch):
            await self.ask(requests, other, b"hello")
        requests.stop()

    async def test_an_answer_that_nobody_asked_for_ends_the_channel(self, start: Start) -> None:
        one, other = await self.pair(start)

        async def liar(channel: Channel) -> None:
            await channel.receive()
            await channel.send(b"\x63\x00lie")
            await channel.receive()

        other.serve(ASK, liar, max_message_bytes=MAX)
        requests = Requests(one)
        with pytest.raises(PeerLied, match="nobody asked"):
            await self.ask(requests, other, b"hello")
        assert requests.open_channels() == []
        requests.stop()
