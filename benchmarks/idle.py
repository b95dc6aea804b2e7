"""What a node costs that does nothing: 10 000 datasets, 20 peers; and how fast it starts.

The datasets are put into the store before; the node is a process of its own, the peers are 20
transports in this one. All the node has to do is to keep its connections and to announce what it
holds, first after the start and then again and again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.report import Row
from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.base.units import GIB
from quire.faces.local import LocalNode
from quire.net.identity import load_or_create_key
from quire.net.libp2p import Libp2pTransport
from quire.node.profile import load_profile
from quire.store.open import open_store

PEERS = 20
SETTLE_SECONDS = 60.0
AIM_CPU, AIM_MB, AIM_START = 1.0, 120.0, 2.0


async def _fill(directory: Path, count: int) -> None:
    """Small datasets, put into the store of a node that does not run yet."""
    clock = SystemClock()
    directory.mkdir(parents=True, mode=0o700)
    store = await open_store(
        directory / "store",
        quota_bytes=20 * GIB,
        clock=clock,
        events=EventBus(clock),
        default_ttl=None,
    )
    gate = asyncio.Semaphore(64)

    async def one(number: int) -> None:
        async with gate:
            upload = store.begin_upload(block_size=4096)
            await upload.write(b"dataset %d" % number)
            await upload.commit()

    await asyncio.gather(*(one(number) for number in range(count)))
    await store.close()


@asynccontextmanager
async def _peers(directory: Path, count: int) -> AsyncIterator[list[str]]:
    """Peers that are there and do nothing; their addresses."""
    clock, kad = SystemClock(), load_profile("quire").protocols.kad
    directory.mkdir(parents=True)
    addresses = []
    async with AsyncExitStack() as stack:
        for number in range(count):
            peer = Libp2pTransport(
                load_or_create_key(directory / f"key-{number}"),
                listen=["/ip4/127.0.0.1/tcp/0"],
                agent="idle peer",
                kad_protocol=kad,
                clock=clock,
                events=EventBus(clock),
            )
            await peer.start()
            stack.push_async_callback(peer.stop, clock.monotonic() + 600.0)
            addresses.append(f"{peer.listen_addresses()[0]}/p2p/{peer.peer_id}")
        yield addresses


async def _status(node: LocalNode) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{node.api}/api/quire/v1/status") as answer,
    ):
        return dict(await answer.json())


async def _measure(directory: Path, datasets: int, seconds: float) -> dict[str, float]:
    await _fill(directory / "node", datasets)
    async with _peers(directory / "peers", PEERS) as addresses:
        node = LocalNode(directory / "node", bootstrap=addresses)
        began = time.perf_counter()
        await asyncio.to_thread(node.start)
        started = time.perf_counter() - began
        try:
            while (await _status(node))["peers"] < PEERS:
                await asyncio.sleep(0.2)
            await asyncio.sleep(SETTLE_SECONDS)
            before, began = node.resources(), time.perf_counter()
            announced = (await _status(node))["announce"]
            await asyncio.sleep(seconds)
            after, passed = node.resources(), time.perf_counter() - began
            later = (await _status(node))["announce"]
        finally:
            await asyncio.to_thread(node.stop)
    return {
        "start": started,
        "cpu": 100 * (after["cpu_seconds"] - before["cpu_seconds"]) / passed,
        "rss": after["rss_bytes"] / 1e6,
        "cpu_to_settle": before["cpu_seconds"],
        "published": later["published"],
        "rate": (later["published"] - announced["published"]) / passed,
        "failed": later["failed"],
        "queued": later["queued"],
    }


def idle(directory: Path, datasets: int = 10_000, seconds: float = 60.0) -> list[Row]:
    """Start-up, CPU and memory of a node at rest."""
    found = asyncio.run(_measure(directory, datasets, seconds))
    what = f"{datasets} datasets, {PEERS} peers"
    keys = (
        f"{found['published']:.0f} keys announced, {found['queued']:.0f} waiting their turn, "
        f"{found['rate']:.1f} a second meanwhile"
    )
    return [
        Row(f"start of a node with {datasets} datasets", found["start"], "s", AIM_START, "aim",
            "< 2 s"),
        Row(f"CPU of an idle node, {what}", found["cpu"], "% of a core", AIM_CPU, "aim", "< 1 %",
            keys),
        Row(f"resident memory of an idle node, {what}", found["rss"], "MB", AIM_MB, "aim",
            "< 120 MB", f"{found['cpu_to_settle']:.1f} CPU seconds from the start until then"),
    ]  # fmt: skip
