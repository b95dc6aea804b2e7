"""put_file and get_file of 256 MiB with three replicas, beside the plain exchange of the same bytes.

Real node processes on loopback, and a chain of their own. put_file: encrypted, stored, sealed, sent
to three providers, signed and paid; beside it a plain upload that the same three nodes fetch at the
same time. get_file: from the replicas, verified, unsealed, paid and decrypted; beside it a fetch.
Seconds of processors are those of all nodes and of the client's process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.data import pieces
from benchmarks.network import fetch
from benchmarks.processes import REPEATS, settle
from benchmarks.report import Row
from quire.base.units import MIB, format_size
from quire.faces.sdk_files import PutResult
from support.replica_street import CLIENT, READER, Street, replica_street

REPLICAS = 3
AIM = "≥ 0.5"
LOOK_SECONDS = 0.05


@dataclass
class _Runs:
    """Seconds of each run of one kind of work: that pass, and of processors."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    async def time(self, street: Street, work: Callable[[], Awaitable[None]]) -> None:
        await asyncio.to_thread(settle)
        started, used = time.perf_counter(), _cpu_seconds(street)
        await work()
        self.wall.append(time.perf_counter() - started)
        self.cpu.append(_cpu_seconds(street) - used)

    @property
    def words(self) -> str:
        return f"{median(self.wall):.2f} s, {median(self.cpu):.1f} CPU s"


def retail(directory: Path, size_bytes: int = 256 * MIB) -> list[Row]:
    """Median of several runs, each with fresh data; replicas and plain exchange take turns."""
    put, put_plain, get, get_plain = _Runs(), _Runs(), _Runs(), _Runs()

    async def run() -> None:
        async with replica_street(directory) as street:
            await street.client()
            names = await street.providers(REPLICAS)
            await street.reader()
            for number in range(REPEATS):
                plain = _Plain(street, _data(size_bytes, 2 * number))
                await put_plain.time(street, lambda plain=plain: plain.put(names))
                await get_plain.time(street, lambda plain=plain: plain.fetch(READER))
                kept = _Replicas(street, _data(size_bytes, 2 * number + 1))
                await put.time(street, kept.put)
                await get.time(street, kept.get)

    asyncio.run(run())
    size = format_size(size_bytes)
    return [
        _row(f"put_file of {size}, {REPLICAS} replicas", size_bytes, put, put_plain),
        _row(f"get_file of {size}", size_bytes, get, get_plain),
    ]


class _Plain:
    """A dataset as it is."""

    def __init__(self, street: Street, data: bytes) -> None:
        self._street = street
        self._data = data
        self._cid = ""

    async def put(self, names: list[str]) -> None:
        async with self._street.sdk(CLIENT) as sdk:
            self._cid = str((await sdk.put(self._data, encrypt="none")).cid)
        await asyncio.gather(*(self.fetch(name) for name in names))

    async def fetch(self, name: str) -> None:
        await fetch(self._street.node(name).api, self._cid)


class _Replicas:
    """A file that others keep."""

    def __init__(self, street: Street, data: bytes) -> None:
        self._street = street
        self._data = data
        self._made: PutResult | None = None

    async def put(self) -> None:
        async with self._street.sdk(CLIENT) as sdk:
            self._made = await sdk.put_file(self._data, redundancy=REPLICAS)
            while (await sdk.status(str(self._made.upload_id)))["state"] != "UPLOADED":
                await asyncio.sleep(LOOK_SECONDS)

    async def get(self) -> None:
        assert self._made is not None
        assert self._made.read_cap is not None
        at = 0
        async with self._street.sdk(READER) as sdk:
            async for piece in sdk.get_file(self._made.read_cap):
                assert piece == self._data[at : at + len(piece)]
                at += len(piece)
        assert at == len(self._data)


def _data(size_bytes: int, seed: int) -> bytes:
    return b"".join(bytes(piece) for piece in pieces(size_bytes, seed))


def _cpu_seconds(street: Street) -> float:
    nodes = street.town.nodes.values()
    return time.process_time() + sum(node.resources()["cpu_seconds"] for node in nodes)


def _row(name: str, size_bytes: int, ours: _Runs, plain: _Runs) -> Row:
    rate, limit = (size_bytes / 1e6 / median(runs.wall) for runs in (ours, plain))
    detail = f"{ours.words}; plain {plain.words}"
    return Row(name, rate, "MB/s", limit, "plain exchange", AIM, detail)
