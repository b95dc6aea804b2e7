"""A node that is asked for 64 proofs at once: how fast, in which order, and does its loop run on.

The deadlines are given in opposite order of asking, so that what is done first shows the queue.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.data import pieces
from benchmarks.report import Row
from quire.base.errors import QuireError
from quire.base.units import MIB
from quire.dataset.circuit import CircuitParameters
from quire.faces.client import Client
from quire.faces.local import LocalNode
from quire.services.circuit_setup import DEFAULT_SEED, set_up_circuit

JOBS = 64
SIZE = 16 * MIB
DEADLINE_SECONDS, STEP_SECONDS = 1200, 5
POLL_SECONDS = 0.2


def proving(directory: Path) -> list[Row]:
    """One node, one dataset, one circuit of 5 samples."""
    circuits = directory / "circuits"
    set_up_circuit(circuits, CircuitParameters(), DEFAULT_SEED, lambda *_: None)
    with LocalNode(directory / "node", arguments=["--circuit-dir", str(circuits)]) as node:
        seconds, turned, lag_ms = asyncio.run(_run(node.api))
        peak = node.resources()["peak_rss_bytes"] / 1e6
    return [
        Row(f"{JOBS} proofs of 5 samples asked at once", JOBS / seconds, "proofs/s"),
        Row("of their pairs, finished in the order of their deadlines", 100 * turned, "%"),
        Row("event-loop lag, 99th percentile, meanwhile", lag_ms, "ms", aim="< 50 ms"),
        Row("peak memory of the proving node", peak, "MB"),
    ]


async def _run(api: str) -> tuple[float, float, float]:
    """Seconds for all, share of neighbours in order of deadline, lag in milliseconds."""
    async with Client(api) as node:
        cid = await _slots(node)
        path = f"/datasets/{cid}/slots/0/proofs"
        started = time.perf_counter()
        asked = [
            await node.json(
                "POST",
                f"{path}?entropy={number + 1:x}&host=0x{1:040x}"
                f"&within={DEADLINE_SECONDS - number * STEP_SECONDS}s",
            )
            for number in range(JOBS)
        ]
        ended: dict[str, float] = {}
        while len(ended) < JOBS:
            await asyncio.sleep(POLL_SECONDS)
            for job in (await node.json("GET", path))["proofs"]:
                if job["error"] is not None:
                    raise QuireError(f"a proof failed: {job['error']}")
                if job["state"] == "complete":
                    ended.setdefault(job["id"], time.perf_counter() - started)
        lag = (await node.json("GET", "/status"))["loopLag"]["p99Ms"]
    order = [ended[job["id"]] for job in asked]
    # The later one was asked, the earlier it is due; the first few may have begun before.
    pairs = list(pairwise(order))
    turned = sum(later <= earlier for earlier, later in pairs) / len(pairs)
    return max(order), turned, float(lag)


async def _slots(node: Client) -> str:
    """The CID of a protected dataset at the node."""

    async def body() -> AsyncIterator[bytes]:
        for piece in pieces(SIZE, seed=3):
            yield bytes(piece)

    plain = await node.put(body(), size=SIZE)
    path = f"/datasets/{plain}/protect?k=4&m=2"
    job: dict[str, Any] = await node.json("POST", path)
    while job["state"] != "complete":
        if job["error"] is not None:
            raise QuireError(f"protecting failed: {job['error']}")
        await asyncio.sleep(POLL_SECONDS)
        job = (await node.json("GET", path))["jobs"][-1]
    return str(job["result"]["cid"])
