"""Many small datasets: 64 uploads of 1 MiB at once, then 10 000 of one block; the loop's lag."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import aiohttp

from benchmarks.data import PIECE_BYTES, pieces
from benchmarks.report import Row
from quire.faces.local import LocalNode


async def _upload(session: aiohttp.ClientSession, url: str, body: bytes) -> None:
    async with session.post(url, data=body) as answer:
        text = await answer.text()
        if answer.status != 200:
            raise SystemExit(f"upload failed: {answer.status} {text}")


async def _run(api: str, count: int) -> tuple[float, float, float]:
    url = f"{api}/api/codex/v1/data"
    connector = aiohttp.TCPConnector(limit=64)
    timeout = aiohttp.ClientTimeout(total=600)
    headers = {"Content-Type": "application/octet-stream"}
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as web:
        bodies = [bytes(piece) for piece in pieces(64 * PIECE_BYTES)]
        started = time.perf_counter()
        await asyncio.gather(*(_upload(web, url, body) for body in bodies))
        parallel = time.perf_counter() - started
        started = time.perf_counter()
        gate = asyncio.Semaphore(64)

        async def one(number: int) -> None:
            async with gate:
                await _upload(web, url, b"dataset %d" % number)

        await asyncio.gather(*(one(number) for number in range(count)))
        many = time.perf_counter() - started
        async with web.get(f"{api}/api/quire/v1/status") as answer:
            status = await answer.json()
    return parallel, many, float(status["loopLag"]["p99Ms"])


def small(directory: Path, count: int = 10_000) -> list[Row]:
    """All must succeed; the lag is the node's own metric over both runs."""
    with LocalNode(directory / "small") as node:
        parallel, many, lag_ms = asyncio.run(_run(node.api, count))
    return [
        Row("64 parallel uploads of 1 MiB", 64 * PIECE_BYTES / 1e6 / parallel, "MB/s"),
        Row(f"{count} datasets of one block, 64 at a time", count / many, "datasets/s"),
        Row("event-loop lag, 99th percentile, during both", lag_ms, "ms", aim="< 50 ms"),
    ]
