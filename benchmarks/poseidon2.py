"""Poseidon2: digests of 64 KiB blocks on every path, beside the same hash on arkworks' field."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from benchmarks.processes import REPEATS, middle
from benchmarks.report import Row, skipped

AIMS = {"Scalar": "≥ 14 MB/s", "Ifma": "≥ 60 MB/s"}
ARKWORKS = "arkworks"


def poseidon2() -> list[Row]:
    """One row for each path on one core (processor time), and on all cores (the clock)."""
    binary = Path(os.environ["CARGO_TARGET_DIR"], "release", "examples", "poseidon2_speed")
    if not binary.exists():
        return [skipped("Poseidon2 of 64 KiB blocks", f"{binary.name} is not built")]
    cores = os.cpu_count() or 1
    alone = _speeds(binary, 1, "cpu_mb_s")
    together = _speeds(binary, cores, "wall_mb_s")
    theirs = alone.pop(ARKWORKS)
    rows = []
    for path, speed in alone.items():
        detail = f"{speed / theirs:.2f} times arkworks"
        name = f"Poseidon2 of 64 KiB blocks, {path}, "
        rows.append(Row(f"{name}one core", speed, "MB/s", theirs, ARKWORKS, AIMS[path], detail))
        limit = (cores * speed, f"{cores} times one core")
        rows.append(Row(f"{name}all cores", together[path], "MB/s", *limit, "at the limit"))
    return rows


def _speeds(binary: Path, threads: int, key: str) -> dict[str, float]:
    """The middle of several runs, for each path and for arkworks, which has one thread always."""
    found: dict[str, list[float]] = {}
    for _ in range(REPEATS):
        environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
        done = subprocess.run(
            [binary], stdout=subprocess.PIPE, check=True, text=True, env=environment
        )
        for line in done.stdout.splitlines():
            run = json.loads(line)
            found.setdefault(run["name"], []).append(run[key])
    return {name: middle(speeds) for name, speeds in found.items()}
