"""One TCP connection through the delay proxy: two sockets, a line for each direction."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable
from random import Random

from support.delay_line import DelayLine, Shape

READ_BYTES = 512 << 10
_PIECES = 64  # buffers of one sendmsg
_FULL_BYTES = 64 << 20  # delivered and not taken by the receiver; then the sender has to wait


class TcpPair:
    """Bytes of `client` come out of `server` later, and the reverse. Ends when both have ended."""

    def __init__(
        self, client: socket.socket, server: socket.socket, there: Shape, back: Shape, rng: Random
    ) -> None:
        self.on_end: Callable[[], object] = lambda: None
        for side in (client, server):
            side.setblocking(False)
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets = (client, server)
        self._ways = (
            _Way(client, server, there, rng, self._way_over),
            _Way(server, client, back, rng, self._way_over),
        )
        self._is_closed = False

    def start(self) -> None:
        for way in self._ways:
            way.start()

    def close(self) -> None:
        """Cut both connections."""
        if not self._is_closed:
            self._is_closed = True
            for way in self._ways:
                way.close()
            for side in self._sockets:
                side.close()
            self.on_end()

    def _way_over(self, is_broken: bool) -> None:
        if is_broken or all(way.is_over for way in self._ways):
            self.close()


class _Way:
    """One direction. The end of the stream travels on the line like data: as an empty piece."""

    def __init__(
        self,
        source: socket.socket,
        sink: socket.socket,
        shape: Shape,
        rng: Random,
        on_over: Callable[[bool], None],
    ) -> None:
        self.is_over = False
        self._source = source
        self._sink = sink
        self._on_over = on_over
        self._line: DelayLine[bytes] = DelayLine(shape, rng, self._deliver)
        self._out: deque[memoryview] = deque()
        self._out_bytes = 0
        self._is_ending = False
        self._is_reading = False
        self._is_writing = False
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        self._is_reading = True
        self._loop.add_reader(self._source, self._read)

    def close(self) -> None:
        self._line.close()
        self._stop_reading()
        self._stop_writing()

    def _read(self) -> None:
        try:
            data = self._source.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._on_over(True)
            return
        self._line.push(data, len(data))
        if not data or self._is_full():
            self._stop_reading()
            self._is_ending = not data

    def _is_full(self) -> bool:
        return self._line.is_full or self._out_bytes >= _FULL_BYTES

    def _deliver(self, pieces: list[bytes]) -> None:
        self._out.extend(memoryview(piece) for piece in pieces)
        self._out_bytes += sum(map(len, pieces))
        if not self._is_writing:
            self._write()

    def _write(self) -> None:
        try:
            self._send_all()
        except BlockingIOError:
            if not self._is_writing:
                self._is_writing = True
                self._loop.add_writer(self._sink, self._write)
        except OSError:
            self._on_over(True)
            return
        else:
            self._stop_writing()
        if not self._is_reading and not self._is_ending and not self._is_full():
            self.start()
        if self.is_over:
            self._on_over(False)

    def _send_all(self) -> None:
        """Raises BlockingIOError when the receiver takes no more now."""
        while self._out:
            if not self._out[0]:
                self._out.popleft()
                self.is_over = True
                with contextlib.suppress(OSError):
                    self._sink.shutdown(socket.SHUT_WR)
                continue
            batch = [self._out[i] for i in range(min(len(self._out), _PIECES))]
            sent = self._sink.sendmsg(batch)
            self._out_bytes -= sent
            while sent:
                head = self._out[0]
                if sent < len(head):
                    self._out[0] = head[sent:]
                    break
                sent -= len(head)
                self._out.popleft()

    def _stop_reading(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._source)

    def _stop_writing(self) -> None:
        if self._is_writing:
            self._is_writing = False
            self._loop.remove_writer(self._sink)
