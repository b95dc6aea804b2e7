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


def _connect(url: str) -> tuple[socket.socket, str, str]:
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=600)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return connection, parts.netloc, path


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


def put(url: str, size_bytes: int, seed: int) -> tuple[int, str]:
    """POST generated data; returns the bytes sent and the answer's body."""
    connection, host, path = _connect(url)
    with connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Length: {size_bytes}\r\nConnection: close\r\n\r\n".encode()
        )
        for piece in pieces(size_bytes, seed):
            connection.sendall(piece)
        status, headers, body = _head(connection)
        length = int(headers.get("content-length", "0"))
        while len(body) < length:
            body += connection.recv(65_536)
    if status != 200:
        raise SystemExit(f"{status}: {body.decode()}")
    return size_bytes, body.decode()


def get(url: str) -> tuple[int, str]:
    """GET and throw away; returns the bytes received. Fails when the length is not as promised."""
    connection, host, path = _connect(url)
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
