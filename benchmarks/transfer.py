"""Upload and local download through REST, beside the same HTTP stack without a store."""

from __future__ import annotations

from pathlib import Path

from benchmarks.http_load import put
from benchmarks.processes import REPEATS, measure, middle, rate, server, settle
from benchmarks.report import Row
from quire.base.units import format_size
from quire.faces.local import LocalNode


def upload_and_download(directory: Path, size_bytes: int) -> list[Row]:
    """Median of several runs; node and limit take turns, so that both see the same machine."""
    up, up_limit, down, down_limit = [], [], [], []
    cpu = 0.0
    size = format_size(size_bytes)
    quota = str(size_bytes * (REPEATS + 2))
    with server("http_limit") as port, LocalNode(
        directory / "transfer", arguments=["--storage-quota", quota]
    ) as node:
        limit = f"http://127.0.0.1:{port}/"
        data = f"{node.api}/api/codex/v1/data"
        put(data, 1 << 20, seed=99)  # the first request pays for lazy imports
        for run in range(REPEATS):
            settle()
            up_limit.append(rate(measure("http_load", "put", limit, size_bytes, run)))
            before = node.resources()["cpu_seconds"]
            done = measure("http_load", "put", data, size_bytes, run)
            cpu = node.resources()["cpu_seconds"] - before
            up.append(rate(done))
            settle()
            down_limit.append(rate(measure("http_load", "get", f"{limit}?size={size_bytes}")))
            down.append(rate(measure("http_load", "get", f"{data}/{done['body']}")))
    return [
        Row(f"upload of {size} through REST, durable", middle(up), "MB/s", middle(up_limit),
            "same HTTP stack, only hashing", "ratio ≥ 0.5 and ≥ 250 MB/s",
            f"{cpu:.2f} CPU s for the last"),
        Row(f"local download of {size}, verified", middle(down), "MB/s", middle(down_limit),
            "same HTTP stack, from memory", "ratio ≥ 0.5"),
    ]
