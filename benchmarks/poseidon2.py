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
    alone, together = _speeds(binary, 1), _speeds(binary, cores)
    theirs = alone.pop(ARKWORKS)["cpu_mb_s"]
    rows = []
    for path, run in alone.items():
        name, speed = f"Poseidon2 of 64 KiB blocks, {path}, ", run["cpu_mb_s"]
        detail = f"{speed / theirs:.2f} times arkworks"
        rows.append(Row(f"{name}one core", speed, "MB/s", theirs, ARKWORKS, AIMS[path], detail))
        limit = (cores * speed, f"{cores} times one core")
        detail = f"{together[path]['cpu_mb_s']:.1f} MB for each second of processor time"
        speed = together[path]["wall_mb_s"]
        rows.append(Row(f"{name}all cores", speed, "MB/s", *limit, "at the limit", detail))
    return rows


def _speeds(binary: Path, threads: int) -> dict[str, dict[str, float]]:
    """The middle of several runs, for each path and for arkworks, which has one thread always."""
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    found: dict[str, dict[str, list[float]]] = {}
    for _ in range(REPEATS):
        done = subprocess.run(
            [binary], stdout=subprocess.PIPE, check=True, text=True, env=environment
        )
        for line in done.stdout.splitlines():
            run = json.loads(line)
            name = run.pop("name")
            for key, speed in run.items():
                found.setdefault(name, {}).setdefault(key, []).append(speed)
    return {
        name: {key: middle(speeds) for key, speeds in run.items()} for name, run in found.items()
    }
