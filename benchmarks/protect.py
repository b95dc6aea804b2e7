"""The way of a dataset into slots: read, code, SHA-256, slot trees, durable; and its memory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from benchmarks.processes import measure, settle
from benchmarks.report import Row
from quire.base.units import MIB, format_size

K, M = 4, 2


def protect(directory: Path, size: int, memory_sizes: tuple[int, ...]) -> list[Row]:
    """One row of speed with the share of each stage, one of memory for each size."""
    rows: list[Row] = []
    run = _run(directory, size)
    rate = run["bytes"] / 1e6 / run["seconds"]
    # Every byte of k + m rows is hashed into the slot trees; nothing else takes as long.
    limit = run["poseidon2_limit"] / 1e6 * K / (K + M)
    rows.append(
        Row(
            f"protect {format_size(size)}, {K} + {M}, durable",
            rate,
            "MB/s",
            limit,
            "Poseidon2 of all rows on all cores, nothing else",
            "at the limit",
            _shares(run),
        )
    )
    first = 0.0
    for wanted in memory_sizes:
        peak = _run(directory, wanted)["peak_rss"] / 1e6
        first = first or peak
        rows.append(
            Row(
                f"peak memory of protecting {format_size(wanted)}",
                peak,
                "MB",
                None if wanted == memory_sizes[0] else first,
                f"the run of {format_size(memory_sizes[0])}",
                "flat",
            )
        )
    return rows


def _run(directory: Path, size: int) -> dict[str, Any]:
    place = directory / f"protect-{size // MIB}"
    settle()
    try:
        return measure("protect_run", place, size, K, M)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _shares(run: dict[str, Any]) -> str:
    total = sum(run["busy"].values())
    parts = [f"{stage} {seconds / total:.1%}" for stage, seconds in run["busy"].items()]
    return f"{run['cpu']:.1f} CPU s; busy: {', '.join(parts)}"
