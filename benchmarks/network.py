"""A fetch of 1 GiB from one node process to another, beside a bare libp2p stream."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.http_load import put
from benchmarks.processes import REPEATS, middle, rate, settle
from benchmarks.report import Row
from quire.base.units import format_size
from quire.faces.local import LocalNode


def _bare(size_bytes: int) -> dict[str, Any]:
    """Sender and receiver in Rust, same transport settings, bytes thrown away on arrival."""
    binary = Path(os.environ["CARGO_TARGET_DIR"], "release", "examples", "bare_stream")
    listener = subprocess.Popen([binary, "serve"], stdout=subprocess.PIPE, text=True)
    assert listener.stdout is not None
    try:
        address = listener.stdout.readline().strip()
        done = subprocess.run(
            [binary, "fetch", address, str(size_bytes)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return dict(json.loads(done.stdout.splitlines()[-1]))
    finally:
        listener.kill()
        listener.wait()
        listener.stdout.close()


async def fetch(api: str, cid: str) -> float:
    """Seconds from asking for the fetch until the node reports the dataset complete."""
    url = f"{api}/api/quire/v1/datasets/{cid}/fetch"
    async with aiohttp.ClientSession(raise_for_status=True) as web:
        started = time.perf_counter()
        async with web.post(url) as answer:
            state = await answer.json()
        while state["state"] in ("searching", "fetching"):
            await asyncio.sleep(0.01)
            async with web.get(url) as answer:
                state = await answer.json()
        if state["state"] != "complete":
            raise SystemExit(f"the fetch did not complete: {state}")
        return time.perf_counter() - started


def network(directory: Path, size_bytes: int) -> list[Row]:
    """Median of several runs, each with fresh data; node pair and bare stream take turns."""
    rates, limits = [], []
    cpu = (0.0, 0.0)
    quota = str(size_bytes * (REPEATS + 1))
    arguments = ["--storage-quota", quota]
    with (
        LocalNode(directory / "net-from", arguments=arguments) as source,
        LocalNode(directory / "net-to", arguments=arguments, bootstrap=[source.address]) as target,
    ):
        for run in range(REPEATS):
            _, cid = put(f"{source.api}/api/codex/v1/data", size_bytes, seed=run)
            settle()
            limits.append(rate(_bare(size_bytes)))
            before = source.resources()["cpu_seconds"], target.resources()["cpu_seconds"]
            rates.append(size_bytes / 1e6 / asyncio.run(fetch(target.api, cid)))
            after = source.resources()["cpu_seconds"], target.resources()["cpu_seconds"]
            cpu = after[0] - before[0], after[1] - before[1]
    return [
        Row(
            f"network fetch of {format_size(size_bytes)}, verified and durable",
            middle(rates),
            "MB/s",
            middle(limits),
            "bare libp2p stream, same transport",
            "ratio ≥ 0.5 and ≥ 200 MB/s",
            f"CPU s of the last: {cpu[0]:.2f} sender, {cpu[1]:.2f} receiver",
        ),
    ]
