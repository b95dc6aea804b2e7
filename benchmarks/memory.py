"""Peak resident memory of a node that takes in and gives out 64 MiB, 1 GiB and 8 GiB."""

from __future__ import annotations

from pathlib import Path

from benchmarks.http_load import get, put
from benchmarks.report import Row
from quire.base.units import GIB, MIB, format_size
from quire.faces.local import LocalNode


def memory(directory: Path, sizes: tuple[int, ...] = (64 * MIB, GIB, 8 * GIB)) -> list[Row]:
    """A fresh node for each size; the peak covers start, upload and download."""
    rows: list[Row] = []
    peaks: dict[int, float] = {}
    for size in sizes:
        quota = str(size * 2)
        with LocalNode(directory / f"memory-{size}", arguments=["--storage-quota", quota]) as node:
            data = f"{node.api}/api/codex/v1/data"
            _, cid = put(data, size, seed=1)
            get(f"{data}/{cid}")
            peaks[size] = node.resources()["peak_rss_bytes"] / 1e6
        rows.append(
            Row(
                f"peak memory of a node, {format_size(size)} in and out",
                peaks[size],
                "MB",
                peaks.get(GIB) if size > GIB else None,
                "the run of 1 GiB",
                "ratio ≤ 1.2, < 250 MB" if size > GIB else "< 250 MB",
            )
        )
    return rows
