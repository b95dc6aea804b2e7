"""The cheapest HTTP client there is: one blocking socket. Runs as its own process.

    python -m benchmarks.http_load put URL SIZE SEED
    python -m benchmarks.http_load get URL

Prints one JSON line: bytes, seconds, the client's CPU seconds, and the start of the answer's body.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from urllib.parse import urlsplit

from benchmarks.data import PIECE_BYTES, pieces

_PATIENCE_SECONDS = 600.0


class OutOfTime(Exception):
    """The time for a request was up; `moved` bytes had been sent or received."""

    def __init__(self, moved: int) -> None:
        super().__init__(f"time was up after {moved} bytes")
        self.moved = moved


def _connect(url: str, until: float | None) -> tuple[socket.socket, str, str]:
    parts = urlsplit(url)
    seconds = _PATIENCE_SECONDS if until is None else max(0.1, until - time.perf_counter())
    connection = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=seconds)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return connection, parts.netloc, path


def _check_time(until: float | None, moved: int) -> None:
    if until is not None and time.perf_counter() > until:
        raise OutOfTime(moved)


def _head(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            raise SystemExit(f"the server closed the connection after {data!r}")
        data += more
    head, rest = data.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    headers = {
        k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])
    }
    return int(lines[0].split()[1]), headers, rest


def _body(connection: socket.socket, headers: dict[str, str], start: bytes) -> bytes:
    """A short body that begins with `start`: of known length, in chunks, or up to the end."""
    body, length = start, int(headers.get("content-length", "-1"))
    while (length < 0 or len(body) < length) and (more := connection.recv(65_536)):
        body += more
    if headers.get("transfer-encoding") != "chunked":
        return body
    plain = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        plain, body = plain + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return plain


def put(
    url: str, size_bytes: int, seed: int, method: str = "POST", until: float | None = None
) -> tuple[int, str]:
    """Send generated data; returns the bytes sent and the answer's body. Raises `OutOfTime`."""
    sent = 0
    connection, host, path = _connect(url, until)
    try:
        with connection:
            connection.sendall(
                f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n"
                "Content-Type: application/octet-stream\r\n"
                f"Content-Length: {size_bytes}\r\nConnection: close\r\n\r\n".encode()
            )
            for piece in pieces(size_bytes, seed):
                connection.sendall(piece)
                sent += len(piece)
                _check_time(until, sent)
            status, headers, body = _head(connection)
            body = _body(connection, headers, body)
    except TimeoutError:
        raise OutOfTime(sent) from None
    if status not in (200, 201):
        raise SystemExit(f"{status}: {body.decode()}")
    return size_bytes, body.decode()


def get(url: str, until: float | None = None) -> tuple[int, str]:
    """GET and throw away; returns the bytes received. Fails when the length is not as promised."""
    received = 0
    connection, host, path = _connect(url, until)
    try:
        with connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
            )
            status, headers, rest = _head(connection)
            if status != 200:
                raise SystemExit(f"{status}: {rest.decode()}")
            expected = int(headers["content-length"])
            received = len(rest)
            buffer = memoryview(bytearray(PIECE_BYTES))
            while received < expected:
                count = connection.recv_into(buffer)
                if not count:
                    raise SystemExit(f"the body ended after {received} of {expected} bytes")
                received += count
                _check_time(until, received)
    except TimeoutError:
        raise OutOfTime(received) from None
    return received, ""


def main() -> None:
    started, used = time.perf_counter(), time.process_time()
    if sys.argv[1] == "put":
        count, body = put(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        count, body = get(sys.argv[2])
    print(
        json.dumps(
            {
                "bytes": count,
                "seconds": time.perf_counter() - started,
                "cpu_seconds": time.process_time() - used,
                "body": body[:200],
            }
        )
    )


if __name__ == "__main__":
    main()
