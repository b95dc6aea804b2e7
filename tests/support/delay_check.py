"""The delay proxy measured: round trips and rates, plain and through it, TCP and UDP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from statistics import median

from support.delay_proxy import Delay, DelayProxy

_PINGS = 20
_BULK_BYTES = 256 << 20
_PIECE = bytes(1 << 20)


async def check(delay: Delay) -> dict[str, float]:
    """Milliseconds of a round trip and of a first answer, and MB/s of a bulk transfer.

    Client and server are threads with blocking sockets beside the proxy's loop, so that the rate
    is a lower bound of what the proxy can do.
    """
    found: dict[str, float] = {"asked_rtt_ms": delay.rtt_seconds * 1e3}
    with _servers() as port:
        async with DelayProxy(("127.0.0.1", port), delay) as proxy:
            for name, at in (("plain", port), ("proxy", proxy.port)):
                found[f"tcp_{name}_rtt_ms"] = await asyncio.to_thread(_tcp_rtt_ms, at)
                found[f"tcp_{name}_first_ms"] = await asyncio.to_thread(_tcp_first_ms, at)
                found[f"udp_{name}_rtt_ms"] = await asyncio.to_thread(_udp_rtt_ms, at)
                found[f"tcp_{name}_mb_s"] = await asyncio.to_thread(_tcp_rate, at)
    return {name: round(value, 3) for name, value in found.items()}


@contextlib.contextmanager
def _servers() -> Iterator[int]:
    """TCP and UDP on one port; a stream sends `p` back, and much for a `b`."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    echo.bind(("127.0.0.1", port))
    for work in (_accept, _echo):
        threading.Thread(target=work, args=(listener if work is _accept else echo,)).start()
    try:
        yield port
    finally:
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.send(b"q")
        echo.sendto(b"q", ("127.0.0.1", port))


def _accept(listener: socket.socket) -> None:
    with listener:
        while True:
            line, _ = listener.accept()
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with line:
                while (command := line.recv(1)) == b"p":
                    line.send(command)
                for _ in range(_BULK_BYTES >> 20 if command == b"b" else 0):
                    line.sendall(_PIECE)
                if command == b"q":
                    return


def _echo(listener: socket.socket) -> None:
    with listener:
        while True:
            data, sender = listener.recvfrom(2048)
            if data == b"q":
                return
            listener.sendto(data, sender)


def _tcp_rtt_ms(port: int) -> float:
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return median(_timed(line) for _ in range(_PINGS))


def _tcp_first_ms(port: int) -> float:
    """From the start of the connection until the first answer: two round trips on a real line."""
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as line:
        _timed(line)
    return (time.perf_counter() - started) * 1e3


def _udp_rtt_ms(port: int) -> float:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(5)
        line.connect(("127.0.0.1", port))
        return median(_timed(line) for _ in range(_PINGS))


def _timed(line: socket.socket) -> float:
    started = time.perf_counter()
    line.send(b"p")
    line.recv(1)
    return (time.perf_counter() - started) * 1e3


def _tcp_rate(port: int) -> float:
    buffer = bytearray(1 << 20)
    with socket.create_connection(("127.0.0.1", port)) as line:
        started = time.perf_counter()
        line.send(b"b")
        left = _BULK_BYTES
        while left:
            left -= line.recv_into(buffer)
        return _BULK_BYTES / 1e6 / (time.perf_counter() - started)
