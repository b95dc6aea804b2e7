"""One UDP flow (a client's address) through the delay proxy, datagrams joined where Linux can.

Generic receive offload hands over a run of equal datagrams as one; generic segmentation offload
cuts it again: thousands of datagrams then cost as much as tens.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from random import Random

from support.delay_line import DelayLine, Shape

_SOL_UDP, _UDP_SEGMENT, _UDP_GRO = 17, 103, 104
_BUFFER_BYTES = 8 << 20
_LARGEST = 65_535
_AT_ONCE = 64  # runs read in one go, before others have their turn

Run = tuple[bytes, int]  # datagrams joined, and the size of each but the last


def udp_socket() -> socket.socket:
    """Non-blocking, large buffers, receiving runs where the system knows how."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
    with contextlib.suppress(OSError):
        made.setsockopt(_SOL_UDP, _UDP_GRO, 1)
    return made


class UdpPair:
    """Datagrams of one client go to the server later, and its answers come back later."""

    def __init__(
        self,
        listener: socket.socket,
        client: tuple[str, int],
        to: tuple[str, int],
        there: Shape,
        back: Shape,
        rng: Random,
    ) -> None:
        self._listener = listener
        self._client = client
        self._server = udp_socket()
        self._server.connect(to)
        self.there: DelayLine[Run] = DelayLine(there, rng, self._to_server)
        self._back: DelayLine[Run] = DelayLine(back, rng, self._to_client)
        asyncio.get_running_loop().add_reader(self._server, self._answers)

    @staticmethod
    def take(source: socket.socket) -> Iterator[tuple[bytes, int, tuple[str, int]]]:
        """Runs that are there: bytes, size of one datagram, sender."""
        for _ in range(_AT_ONCE):
            try:
                data, extra, _, sender = source.recvmsg(_LARGEST, socket.CMSG_SPACE(4))
            except OSError:  # nothing there, or an earlier datagram was refused
                return
            size = len(data)
            for level, kind, value in extra:
                if level == _SOL_UDP and kind == _UDP_GRO:
                    size = int.from_bytes(value[:4], "little")
            yield data, size, sender

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._server)
        self.there.close()
        self._back.close()
        self._server.close()

    def _answers(self) -> None:
        for data, size, _ in self.take(self._server):
            if not self._back.is_full:  # a full line loses datagrams, as a router does
                self._back.push((data, size), len(data))

    def _to_server(self, runs: list[Run]) -> None:
        for run in runs:
            _send(self._server, run, ())

    def _to_client(self, runs: list[Run]) -> None:
        for run in runs:
            _send(self._listener, run, (self._client,))


def _send(sink: socket.socket, run: Run, to: tuple[tuple[str, int], ...]) -> None:
    """What the system does not take is lost, as on any line."""
    data, size = run
    extra = []
    if 0 < size < len(data):
        extra = [(_SOL_UDP, _UDP_SEGMENT, size.to_bytes(2, "little"))]
    with contextlib.suppress(OSError):
        sink.sendmsg([data], extra, 0, *to)
