"""The limit for a line: one plain TCP connection that sends. Each end runs as its own process.

    python -m benchmarks.tcp_limit serve ADDRESS             prints its port, then sends for ever
    python -m benchmarks.tcp_limit fetch ADDRESS PORT SIZE SECONDS

`fetch` ends after SIZE bytes or SECONDS, whatever is first, and prints one JSON line.
"""

from __future__ import annotations

import json
import socket
import sys
import time

from benchmarks.data import PIECE_BYTES


def serve(address: str) -> None:
    piece = bytes(PIECE_BYTES)
    listener = socket.create_server((address, 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        line, _ = listener.accept()
        try:
            while True:
                line.sendall(piece)
        except OSError:
            line.close()


def fetch(address: str, port: int, size_bytes: int, most_seconds: float) -> dict[str, float]:
    buffer = bytearray(PIECE_BYTES)
    started = time.perf_counter()
    received, until = 0, started + most_seconds
    with socket.create_connection((address, port), timeout=60) as line:
        while received < size_bytes and time.perf_counter() < until:
            received += line.recv_into(buffer)
    return {"bytes": received, "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        print(
            json.dumps(fetch(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])))
        )
