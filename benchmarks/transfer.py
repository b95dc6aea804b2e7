"""Upload and local download through REST, beside the same HTTP stack without a store."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from benchmarks.http_load import put
from benchmarks.processes import REPEATS, measure, middle, rate, server, settle
from benchmarks.report import Row
from quire.base.units import format_size
from quire.faces.local import LocalNode


def upload_and_download(directory: Path, size_bytes: int) -> list[Row]:
    """Median of several runs; node and limits take turns, so that all see the same machine."""
    found: dict[str, list[float]] = defaultdict(list)
    cpu = 0.0
    quota = str(size_bytes * (REPEATS + 2))
    with (
        server("http_limit") as port,
        LocalNode(directory / "transfer", arguments=["--storage-quota", quota]) as node,
    ):
        limit = f"http://127.0.0.1:{port}/"
        data = f"{node.api}/api/codex/v1/data"
        put(data, 1 << 20, seed=99)  # the first request pays for lazy imports
        for run in range(REPEATS):
            settle()
            found["hash only"].append(rate(measure("http_load", "put", limit, size_bytes, run)))
            disk = measure("disk_limit", directory, size_bytes)
            found["disk write"].append(size_bytes / 1e6 / disk["write_seconds"])
            found["disk read"].append(size_bytes / 1e6 / disk["read_seconds"])
            settle()
            before = node.resources()["cpu_seconds"]
            done = measure("http_load", "put", data, size_bytes, run)
            cpu = node.resources()["cpu_seconds"] - before
            found["upload"].append(rate(done))
            url = f"{data}/{done['body']}"
            found["first"].append(rate(measure("http_load", "get", url)))
            measure("http_load", "get", url)  # what is read twice is cached from then on
            memory = f"{limit}?size={size_bytes}"
            found["from memory"].append(rate(measure("http_load", "get", memory)))
            found["again"].append(rate(measure("http_load", "get", url)))
    size = format_size(size_bytes)
    middles = {name: middle(rates) for name, rates in found.items()}
    return [
        Row(
            f"upload of {size} through REST, durable",
            middles["upload"],
            "MB/s",
            middles["hash only"],
            "same HTTP stack, only hashing",
            "ratio ≥ 0.5 and ≥ 250 MB/s",
            f"{cpu:.2f} CPU s for the last",
        ),
        Row(
            "the same upload",
            middles["upload"],
            "MB/s",
            middles["disk write"],
            "disk alone, written and synced",
        ),
        Row(
            f"local download of {size}, verified, in the page cache",
            middles["again"],
            "MB/s",
            middles["from memory"],
            "same HTTP stack, from memory",
            "ratio ≥ 0.5",
        ),
        Row(
            f"first local download of {size}, verified, from disk",
            middles["first"],
            "MB/s",
            middles["disk read"],
            "disk alone, four reads in flight",
            "ratio ≥ 0.5",
        ),
    ]
