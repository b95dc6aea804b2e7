"""A TCP and UDP proxy that adds delay, for machines whose kernel cannot (no netem).

    client <-> proxy ==[ delay, jitter, rate; each direction of its own ]== server

    async with DelayProxy(("127.0.0.1", 4001), rtt(0.020)) as proxy:     # in this event loop
        ...  # connect to proxy.port, by TCP or UDP

    with running_proxy(("127.0.0.1", 4001), "--rtt-ms", "20") as port:   # a process of its own
        ...

    python tests/support/delay_proxy.py --to 127.0.0.1:4001 --rtt-ms 20  # prints its port
    python tests/support/delay_proxy.py --check                          # measures itself

A TCP connection ends in the proxy: its handshake is made to cost a round trip, but slow start and
the repair of losses happen on each side alone. Where these matter use `delay_wire.py`, which delays
packets (and needs root). UDP, and with it QUIC, is delayed datagram by datagram.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Self

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # when run as a program

from support.delay_line import Shape
from support.delay_tcp import TcpPair
from support.delay_udp import UdpPair, udp_socket

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Delay:
    """Both directions of a line: `there` from client to server, `back` the other way."""

    there: Shape
    back: Shape

    @property
    def rtt_seconds(self) -> float:
        return self.there.delay_seconds + self.back.delay_seconds


def rtt(
    seconds: float, *, jitter_seconds: float = 0.0, bytes_per_second: float | None = None
) -> Delay:
    """The same in both directions, half of the round trip each."""
    shape = Shape(seconds / 2, jitter_seconds, bytes_per_second)
    return Delay(shape, shape)


class DelayProxy:
    """Listens on one port, TCP and UDP, and carries everything to `to` with delay."""

    def __init__(
        self,
        to: Endpoint,
        delay: Delay,
        *,
        listen: Endpoint = ("127.0.0.1", 0),
        seed: int = 0,
    ) -> None:
        self.port = 0
        self._to = to
        self._delay = delay
        self._listen = listen
        self._rng = Random(seed)
        self._tcp: socket.socket | None = None
        self._udp: socket.socket | None = None
        self._pairs: dict[TcpPair, None] = {}
        self._flows: dict[Endpoint, UdpPair] = {}
        self._tasks: dict[asyncio.Task[None], None] = {}

    async def start(self) -> Self:
        """Bind; `port` is known from now on."""
        self._tcp = socket.create_server(self._listen, backlog=128)
        self._tcp.setblocking(False)
        self.port = self._tcp.getsockname()[1]
        self._udp = udp_socket()
        self._udp.bind((self._listen[0], self.port))
        loop = asyncio.get_running_loop()
        loop.add_reader(self._tcp, self._accept, self._tcp)
        loop.add_reader(self._udp, self._datagrams, self._udp)
        return self

    async def stop(self) -> None:
        """Drop all connections and what is on the line."""
        loop = asyncio.get_running_loop()
        for listener in (self._tcp, self._udp):
            if listener is not None:
                loop.remove_reader(listener)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for pair in [*self._pairs, *self._flows.values()]:
            pair.close()
        for listener in (self._tcp, self._udp):
            if listener is not None:
                listener.close()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            client, _ = listener.accept()
            task = asyncio.get_running_loop().create_task(self._connect(client))
            self._tasks[task] = None
            task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def _connect(self, client: socket.socket) -> None:
        """A client may send only after a round trip: so much later its first bytes are read."""
        loop = asyncio.get_running_loop()
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            await asyncio.sleep(self._delay.rtt_seconds)
            server.setblocking(False)
            await loop.sock_connect(server, self._to)
        except BaseException as problem:
            client.close()
            server.close()
            if isinstance(problem, OSError):
                return
            raise
        pair = TcpPair(client, server, self._delay.there, self._delay.back, self._rng)
        pair.on_end = lambda: self._pairs.pop(pair, None)
        self._pairs[pair] = None
        pair.start()

    def _datagrams(self, listener: socket.socket) -> None:
        for data, size, client in UdpPair.take(listener):
            flow = self._flows.get(client)
            if flow is None:
                flow = UdpPair(
                    listener, client, self._to, self._delay.there, self._delay.back, self._rng
                )
                self._flows[client] = flow
            flow.there.push((data, size), len(data))


@contextlib.contextmanager
def running_proxy(to: Endpoint, *arguments: str, prefix: Sequence[str] = ()) -> Iterator[int]:
    """A proxy as a process of its own; yields its port. `prefix` is put before the command, such
    as `("ip", "netns", "exec", NAME)`."""
    command = [*prefix, sys.executable, __file__, "--to", f"{to[0]}:{to[1]}", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        yield int(json.loads(process.stdout.readline())["port"])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _endpoint(text: str) -> Endpoint:
    host, _, port = text.rpartition(":")
    return host, int(port)


async def _run(wanted: argparse.Namespace) -> None:
    rate = wanted.rate_mbit * 1e6 / 8 if wanted.rate_mbit else None
    delay = rtt(wanted.rtt_ms / 1e3, jitter_seconds=wanted.jitter_ms / 1e3, bytes_per_second=rate)
    if wanted.check:
        from support.delay_check import check

        print(json.dumps(await check(delay), indent=2))
        return
    async with DelayProxy(_endpoint(wanted.to), delay, listen=_endpoint(wanted.listen)) as proxy:
        print(json.dumps({"port": proxy.port}), flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", default="127.0.0.1:9", help="server, HOST:PORT")
    parser.add_argument("--listen", default="127.0.0.1:0", help="HOST:PORT, TCP and UDP")
    parser.add_argument("--rtt-ms", type=float, default=20.0, help="added round trip")
    parser.add_argument("--jitter-ms", type=float, default=0.0, help="at most, each direction")
    parser.add_argument("--rate-mbit", type=float, help="of each direction and connection")
    parser.add_argument("--check", action="store_true", help="measure the proxy itself and end")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
