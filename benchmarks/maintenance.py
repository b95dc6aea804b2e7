"""How fast data comes and goes: blocks a second that are inserted, expired, collected, reclaimed.

What is measured is the real store with its real metadata on the real disk: every block has its row,
its leaf and its extent, every transaction is synced. Only block bytes are left out: the disk below
takes them and keeps nothing, so that the figure is that of the bookkeeping. The blocks are 4 KiB so
that hashing them takes little; a block costs the same in the index whatever its size.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.report import Row
from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.store.disk import Buffer
from quire.store.files import DirectoryDisk
from quire.store.meta import Meta, connect_file, connect_file_reader
from quire.store.store import Store

BLOCK_BYTES = 4096
COUNTED_BYTES = 65_536  # a block of the network
DAY_BLOCKS = 10**12 / COUNTED_BYTES  # 1 TB
NEEDED = DAY_BLOCKS / 86_400  # blocks a second
TTL_SECONDS = 3600.0
SHARES = ((1, 64), (16, 16), (1024, 4), (16_384, 1.5))  # blocks of a dataset; one in so many blocks


class _TurnedClock(SystemClock):
    """The system's, put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


class _ForgetfulDisk(DirectoryDisk):
    """Keeps sizes, not bytes."""

    def write_at(self, name: str, offset: int, segments: Sequence[Buffer]) -> None:
        end = offset + sum(len(segment) for segment in segments)
        if end > self.size(name):
            self.truncate(name, end)


def _content(number: int, blocks: int) -> bytes:
    """Blocks that occur nowhere else."""
    pad = bytes(BLOCK_BYTES - 16)
    head = number.to_bytes(8, "big")
    return b"".join(head + at.to_bytes(8, "big") + pad for at in range(blocks))


async def _fill(store: Store, blocks: int, first: int) -> tuple[int, int]:
    """Upload datasets of all sizes, eight at a time; (datasets, blocks)."""
    jobs = [size for size, share in SHARES for _ in range(int(blocks / share) // size)]
    gate = asyncio.Semaphore(8)

    async def one(number: int, size: int) -> None:
        async with gate:
            upload = store.begin_upload(block_size=BLOCK_BYTES)
            await upload.write(_content(number, size))
            await upload.commit()

    await asyncio.gather(*(one(first + at, size) for at, size in enumerate(jobs)))
    return len(jobs), sum(jobs)


class _Lag:
    """By how much the loop is late, and how long a read of the index takes, while others work."""

    def __init__(self, store: Store) -> None:
        self.worst = self.worst_read = 0.0
        self._store = store
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            due = time.perf_counter() + 0.005
            await asyncio.sleep(0.005)
            began = time.perf_counter()
            self.worst = max(self.worst, began - due)
            await self._store.setting("nothing")
            self.worst_read = max(self.worst_read, time.perf_counter() - began)

    def stop(self) -> tuple[float, float]:
        self._task.cancel()
        return self.worst * 1000, self.worst_read * 1000


async def _run(directory: Path, blocks: int) -> dict[str, float]:
    clock, path = _TurnedClock(), directory / "meta.sqlite"
    executor = ThreadPoolExecutor(6)
    meta = Meta(lambda: connect_file(path), connect_reader=lambda: connect_file_reader(path))
    store = await Store.open(
        _ForgetfulDisk(directory),
        meta,
        quota_bytes=1 << 50,
        clock=clock,
        events=EventBus(clock),
        default_ttl=TTL_SECONDS,
        executor=executor,
    )
    began = time.perf_counter()
    datasets, blocks = await _fill(store, blocks, 0)
    inserted = time.perf_counter() - began
    clock.ahead += 2 * TTL_SECONDS
    kept, _ = await _fill(store, blocks // 8, 1 << 40)  # what stays while the rest goes
    lag = _Lag(store)
    began, cpu = time.perf_counter(), time.process_time()
    assert await store.collect() == datasets
    collected = time.perf_counter() - began
    await store.reclaimed()
    reclaimed = time.perf_counter() - began
    cpu = time.process_time() - cpu
    worst, worst_read = lag.stop()
    began = time.perf_counter()
    assert await store.collect() == 0
    empty = time.perf_counter() - began
    assert len(await store.datasets()) == kept
    assert (await store.verify(read_blocks=False)).problems == []
    await store.close()
    executor.shutdown()
    return {
        "insert": blocks / inserted,
        "reclaim": blocks / reclaimed,
        "datasets": datasets / collected,
        "cpu": cpu / blocks,
        "lag_ms": worst,
        "read_ms": worst_read,
        "empty_ms": empty * 1000,
    }


def maintenance(directory: Path, blocks: int = 1 << 18) -> list[Row]:
    """Rates beside what 1 TB of 64 KiB blocks a day needs."""
    found = asyncio.run(_run(directory, blocks))
    need = "1 TB a day"
    tb = found["reclaim"] * 86_400 * COUNTED_BYTES / 1e12
    both = 1 / (1 / found["insert"] + 1 / found["reclaim"])
    share = NEEDED * found["cpu"]
    return [
        Row("blocks that expire, are collected and reclaimed", found["reclaim"], "blocks/s",
            NEEDED, need, "ratio ≥ 1", f"{tb:,.0f} TB a day; index only, no block bytes"),
        Row("blocks that are inserted", found["insert"], "blocks/s", NEEDED, need, "ratio ≥ 1"),
        Row("the same blocks in and out again", both, "blocks/s", NEEDED, need, "ratio ≥ 1",
            f"{share:.1%} of a core for the collection of 1 TB a day"),
        Row("datasets collected", found["datasets"], "datasets/s"),
        Row("a collection with nothing to do", found["empty_ms"], "ms"),
        Row("event-loop lag during the collection, worst", found["lag_ms"], "ms", aim="< 50 ms"),
        Row("a read of the index meanwhile, worst", found["read_ms"], "ms", aim="< 50 ms"),
    ]  # fmt: skip
