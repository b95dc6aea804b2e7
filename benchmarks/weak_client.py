"""What a weak client spends on having a dataset coded and checked, alone and through an aggregator.

    alone     the client's node protects its dataset itself; hosts still have to be sent K + M rows
    order     the dataset is on its node; the aggregator pulls it, codes it, is checked and paid
    stream    the dataset goes through the node to the aggregator; nothing of it is kept
    exchange  the same bytes are fetched by another node, and nothing else: what sending costs

Real node processes on loopback with a chain of their own. The client's node is started anew for
each, so that its peak is that of one kind of work, its start and idle node included. Seconds of
processors are those from the request on, the idle node and our questions included. Bytes are those
of its TCP connections to other nodes as the kernel counts them, handshakes and framing included.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.http_load import put
from benchmarks.network import fetch
from benchmarks.processes import settle
from benchmarks.report import Row
from quire.base.units import GIB, MIB, format_size
from quire.faces.local import LocalNode
from quire.faces.local_market import LocalMarket

K, M = 4, 2
CLIENT, AGGREGATOR, OTHER = "client", "aggregator", "other"
PRICE = 1_024_000  # of coding a GiB
DEPOSIT = 1_000_000_000
MARGIN_BYTES = 256 * MIB  # of a quota, beyond the data
QUIRE = "/api/quire/v1"
LOOK_SECONDS = 0.5  # between two looks, for a GiB: they cost the client processor time
IDLE_SECONDS = 15.0
DEADLINE_SECONDS = 7200.0
CPU_AIM, RSS_AIM, UP_AIM = "≤ 0.05 of alone", "≤ 128 MB", "≤ 1.01"


@dataclass(frozen=True, slots=True)
class Spent:
    """By the client's node. `up`, `down`: bytes over its connections to other nodes."""

    seconds: float
    cpu: float
    peak: float
    up: int
    down: int

    def words(self, size: int) -> str:
        shares = f"up {self.up / size:.4f}, down {self.down / size:.4f} of the data"
        took = f"{self.cpu:.2f} CPU s in {self.seconds:.0f} s"
        return f"{took}, peak {self.peak / 1e6:.0f} MB, {shares}"


def weak_client(directory: Path, sizes: tuple[int, ...]) -> list[Row]:
    """Three rows of what was spent for each size, beside the same work done otherwise."""
    rows: list[Row] = []
    for size in sizes:
        place = directory / f"weak-{size // MIB}"
        place.mkdir()
        try:
            rows += _rows(size, asyncio.run(_measure(place, size)))
        finally:
            shutil.rmtree(place)
    return rows


async def _measure(directory: Path, size: int) -> dict[str, Spent]:
    async with _street(directory, size) as street:
        cid = await street.upload(size)
        found: dict[str, Spent] = {}
        for name, work in (
            ("idle", street.idle()),
            ("exchange", street.exchange(cid)),
            ("order", street.order(cid)),
            ("alone", street.alone(cid)),
            ("stream", street.stream(size)),
        ):
            found[name] = await work
            print(f"{format_size(size)} {name}: {found[name].words(size)}", flush=True)
        return found


class _Street:
    """A client and those it meets, one at a time; data is deleted as soon as it is of no use."""

    def __init__(self, directory: Path, market: LocalMarket, size: int) -> None:
        self._directory = directory
        self._market = market
        self._look_seconds = LOOK_SECONDS * max(1, size / GIB)
        self._quota = str((K + M) * size // K + size // 100 + MARGIN_BYTES)
        self._nodes: dict[str, LocalNode] = {}

    async def upload(self, size: int) -> str:
        client = await self._start(CLIENT)
        await _post(client, "/channels/deposit", {"amount": str(DEPOSIT)})
        url = f"{client.api}/api/codex/v1/data"
        _, cid = await asyncio.to_thread(put, url, size, 1)
        await self._stop(CLIENT)
        return cid

    async def idle(self) -> Spent:
        client = await self._start(CLIENT)
        spent = await self._spent(client, lambda: asyncio.sleep(IDLE_SECONDS))
        await self._stop(CLIENT)
        return spent

    async def exchange(self, cid: str) -> Spent:
        client = await self._start(CLIENT)
        other = await self._start(OTHER, client)

        async def fetched() -> None:
            await fetch(other.api, cid)

        spent = await self._spent(client, fetched)
        await self._stop(OTHER, is_over=True)
        await self._stop(CLIENT)
        return spent

    async def order(self, cid: str) -> Spent:
        """Until it was checked and the first part is paid."""
        aggregator = await self._start(AGGREGATOR)
        client = await self._start(CLIENT, aggregator)

        async def coded() -> None:
            body = {"cid": cid, "nodes": K + M, "tolerance": M, "via": [aggregator.peer_id]}
            run = await _post(client, "/encodings", body)
            await self._until_coded(client, run["id"])

        spent = await self._spent(client, coded)
        await self._stop(AGGREGATOR, is_over=True)
        await self._stop(CLIENT)
        return spent

    async def alone(self, cid: str) -> Spent:
        client = await self._start(CLIENT)

        async def protected() -> None:
            await _post(client, f"/datasets/{cid}/protect?k={K}&m={M}", {})
            while True:
                [job] = (await _get(client, f"/datasets/{cid}/protect"))["jobs"]
                if job["state"] == "complete":
                    return
                if job["state"] == "failed":
                    raise SystemExit(f"the client did not protect its dataset: {job}")
                await asyncio.sleep(self._look_seconds)

        spent = await self._spent(client, protected)
        await self._stop(CLIENT, is_over=True)
        return spent

    async def stream(self, size: int) -> Spent:
        aggregator = await self._start(AGGREGATOR)
        client = await self._start(CLIENT, aggregator)
        await _post(client, "/channels/deposit", {"amount": str(DEPOSIT)})
        query = f"nodes={K + M}&tolerance={M}&via={aggregator.peer_id}"

        async def coded() -> None:
            url = f"{client.api}{QUIRE}/encodings/stream?{query}"
            _, body = await asyncio.to_thread(put, url, size, 2)
            await self._until_coded(client, json.loads(body)["id"])

        spent = await self._spent(client, coded)
        await self._stop(CLIENT, is_over=True)
        await self._stop(AGGREGATOR, is_over=True)
        return spent

    # ---- inside ----

    async def _until_coded(self, client: LocalNode, run_id: str) -> None:
        """Until it was checked and paid. Ends the program if it was not."""
        deadline = time.perf_counter() + DEADLINE_SECONDS
        while time.perf_counter() < deadline:
            run = await _get(client, f"/encodings/{run_id}")
            if run["state"] not in ("running", "complete"):
                break
            if run["state"] == "complete" and run["orders"][-1]["state"] == "serving":
                return
            await asyncio.sleep(self._look_seconds)
        raise SystemExit(f"the dataset was not coded: {run}")

    async def _start(self, name: str, knows: LocalNode | None = None) -> LocalNode:
        if name not in self._market.names.values():
            self._market.add_account(name)
        arguments = [*self._market.arguments(name), "--storage-quota", self._quota]
        if name == AGGREGATOR:
            arguments += ["--aggregator", "--aggregator-encode-price", str(PRICE)]
        node = LocalNode(
            self._directory / name,
            bootstrap=[] if knows is None else [knows.address],
            arguments=arguments,
        )
        self._nodes[name] = node
        return await asyncio.to_thread(node.start)

    async def _stop(self, name: str, *, is_over: bool = False) -> None:
        """`is_over`: its data is of no use any more."""
        node = self._nodes.pop(name)
        await asyncio.to_thread(node.stop)
        if is_over:
            await asyncio.to_thread(shutil.rmtree, node.data_dir)

    async def stop(self) -> None:
        for name in list(self._nodes):
            await self._stop(name)

    async def _spent(self, client: LocalNode, work: Callable[[], Any]) -> Spent:
        await asyncio.to_thread(settle)
        chain = self._market.chain.url
        before, (up, down) = client.resources(), _moved(client, chain)
        started = time.perf_counter()
        await work()
        seconds = time.perf_counter() - started
        after, (up_after, down_after) = client.resources(), _moved(client, chain)
        return Spent(
            seconds,
            after["cpu_seconds"] - before["cpu_seconds"],
            after["peak_rss_bytes"],
            up_after - up,
            down_after - down,
        )


@asynccontextmanager
async def _street(directory: Path, size: int) -> AsyncIterator[_Street]:
    market = LocalMarket(directory, None)
    await market.start()
    street = _Street(directory, market, size)
    try:
        yield street
    finally:
        await street.stop()
        await market.stop()


def _moved(node: LocalNode, chain: str) -> tuple[int, int]:
    """Bytes acknowledged by and received from other nodes, over connections that are still open.
    `chain`: the URL of what is none."""
    others = {f":{url.rsplit(':', 1)[1]}" for url in (node.api, chain)}
    told = subprocess.run(
        ["ss", "-tinpHO", "state", "established"], stdout=subprocess.PIPE, check=True, text=True
    ).stdout
    up = down = 0
    for line in told.splitlines():
        ends = {f":{end.rsplit(':', 1)[1]}" for end in line.split()[2:4]}
        if f"pid={node.pid}," in line and not ends & others:
            up += sum(map(int, re.findall(r" bytes_acked:(\d+)", line)))
            down += sum(map(int, re.findall(r" bytes_received:(\d+)", line)))
    return up, down


async def _get(node: LocalNode, path: str) -> Any:
    return await asyncio.to_thread(_call, node, path, None)


async def _post(node: LocalNode, path: str, body: dict[str, Any]) -> Any:
    return await asyncio.to_thread(_call, node, path, body)


def _call(node: LocalNode, path: str, body: dict[str, Any] | None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = Request(node.api + QUIRE + path, data, {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def _rows(size: int, found: dict[str, Spent]) -> list[Row]:
    """Alone it has to send K + M rows to hosts too."""
    rows, name = [], format_size(size)
    exchange, alone, idle = found["exchange"], found["alone"], found["idle"].cpu / IDLE_SECONDS
    once, sending = exchange.cpu, exchange.cpu * (K + M) / K
    limit = alone.cpu + sending
    parts = f"coding {alone.words(size)}; sending all rows {sending:.2f} CPU s"
    rows.append(Row(f"CPU of a weak client alone, {name}", limit, "s", detail=parts))
    for way in ("order", "stream"):
        spent = found[way]
        idling = idle * spent.seconds
        parts = f"plain exchange {once:.2f}, idle {idling:.2f}"
        detail = f"{spent.words(size)}; {parts}, all else {spent.cpu - once - idling:.2f} CPU s"
        rows += [
            Row(f"CPU of a weak client, {name}, {way}", spent.cpu, "s", limit, "alone",
                CPU_AIM, detail),
            Row(f"memory of a weak client, {name}, {way}", spent.peak / 1e6, "MB",
                alone.peak / 1e6, "alone", RSS_AIM),
            Row(f"sent by a weak client, {name}, {way}", spent.up / 1e6, "MB", size / 1e6,
                "the data", UP_AIM),
        ]  # fmt: skip
    return rows
