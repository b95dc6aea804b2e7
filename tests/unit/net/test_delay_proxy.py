"""The delay proxy of tests and benchmarks carries bytes unchanged, and never too early."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from support.delay_line import DelayLine, Shape
from support.delay_proxy import Delay, DelayProxy, rtt, running_proxy

ROUND_TRIP = 0.03


@asynccontextmanager
async def echo_server() -> AsyncIterator[int]:
    """TCP: everything back, after the client's end. UDP: each datagram back."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        writer.close()

    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.transport.sendto(data, addr)  # type: ignore[attr-defined]

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    datagrams, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Echo, local_addr=("127.0.0.1", port)
    )
    async with server:
        yield port
    datagrams.close()


async def through(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


class Asker(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.answers.put_nowait(data)


async def test_a_stream_comes_through_unchanged_and_not_before_two_round_trips() -> None:
    data = Random(1).randbytes(3_000_001)
    async with echo_server() as port, DelayProxy(("127.0.0.1", port), rtt(ROUND_TRIP)) as proxy:
        started = time.monotonic()
        answer = await through(proxy.port, data)
        assert time.monotonic() - started >= 2 * ROUND_TRIP - 0.002
    assert hashlib.sha256(answer).digest() == hashlib.sha256(data).digest()


async def test_datagrams_of_any_size_come_through_in_order_and_not_before_a_round_trip() -> None:
    sent = [bytes([i]) * size for i, size in enumerate([1, 1200, 1200, 1200, 0, 700, 9000, 1])]
    async with echo_server() as port, DelayProxy(("127.0.0.1", port), rtt(ROUND_TRIP)) as proxy:
        line, asker = await asyncio.get_running_loop().create_datagram_endpoint(
            Asker, remote_addr=("127.0.0.1", proxy.port)
        )
        started = time.monotonic()
        for data in sent:
            line.sendto(data)
        got = [await asyncio.wait_for(asker.answers.get(), 5) for data in sent if data]
        assert time.monotonic() - started >= ROUND_TRIP - 0.002
        line.close()
    assert got == [data for data in sent if data]


async def test_a_rate_is_not_exceeded() -> None:
    data = bytes(300_000)
    delay = Delay(Shape(bytes_per_second=3e6), Shape())
    async with echo_server() as port, DelayProxy(("127.0.0.1", port), delay) as proxy:
        started = time.monotonic()
        assert len(await through(proxy.port, data)) == len(data)
        assert time.monotonic() - started >= 0.099


async def test_a_connection_to_a_dead_server_is_closed() -> None:
    async with DelayProxy(("127.0.0.1", 1), rtt(0.001)) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await reader.read() == b""
        writer.close()


async def test_jitter_does_not_change_the_order() -> None:
    came: list[int] = []
    line: DelayLine[int] = DelayLine(Shape(0.001, 0.01), Random(1), came.extend)
    for number in range(100):
        line.push(number, 1)
    while len(came) < 100:
        await asyncio.sleep(0.001)
    assert came == list(range(100))
    assert line.held_bytes == 0


async def test_the_proxy_runs_as_a_process_of_its_own() -> None:
    async with echo_server() as port:
        with running_proxy(("127.0.0.1", port), "--rtt-ms", "2") as at:
            assert await through(at, b"hello") == b"hello"
