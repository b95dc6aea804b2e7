"""Helpers that run a piece of a benchmark as a process of its own and read its one line of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

REPEATS = 3


def measure(module: str, *arguments: object, prefix: Sequence[str] = ()) -> dict[str, Any]:
    """Run `python -m benchmarks.<module> ...` to its end; its JSON line."""
    command = [*prefix, sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def server(
    module: str,
    *arguments: object,
    prefix: Sequence[str] = (),
    python: str | Path = sys.executable,
) -> Iterator[str]:
    """Run a server for the length of the block; yields the first line it prints."""
    command = [*prefix, str(python), "-m", f"benchmarks.{module}", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def rate(run: dict[str, Any]) -> float:
    """Megabytes (10^6) a second of one run."""
    return float(run["bytes"]) / 1e6 / float(run["seconds"])


def middle(rates: list[float]) -> float:
    return median(rates)


def settle() -> None:
    """Let writes of earlier runs reach the disk, so that they do not slow the next."""
    os.sync()


def own_peak_bytes() -> int:
    """Most memory that this process has held resident since its program began. What getrusage tells
    begins with the memory of the parent."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (kib,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kib) * 1024
