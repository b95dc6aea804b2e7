"""`python -m benchmarks.protect_run DIRECTORY BYTES K M`: one dataset is protected; a line of JSON.

The stages run beside each other; what each took is the time that its calls were busy, all threads
together, so that the shares tell where the work is.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.data import pieces
from benchmarks.processes import own_peak_bytes
from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.flow import coding, encode
from quire.flow.protect import Protections, ProtectPorts
from quire.kernels import erasure, hashing, poseidon2
from quire.services.workers.local import LocalWorkers
from quire.store.dataset import Dataset
from quire.store.files import DirectoryDisk
from quire.store.open import open_store
from quire.store.protected_tree import ProtectedTree
from quire.store.slot_files import SlotFiles
from quire.store.store import Store

STAGES = ("read", "code", "sha256", "poseidon2", "store", "adopt", "slot trees", "publish")


class Busy:
    """Seconds that each stage was busy."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)

    def watched(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            with self._running(stage):
                return call(*arguments, **options)

        return timed

    def watched_async(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        async def timed(*arguments: Any, **options: Any) -> Any:
            with self._running(stage):
                return await call(*arguments, **options)

        return timed

    @contextmanager
    def _running(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started


@contextmanager
def watching(busy: Busy) -> Iterator[None]:
    """Time the stages of everything that is protected meanwhile."""
    with ExitStack() as stack:

        def watch(owner: Any, name: str, stage: str, is_async: bool = False) -> None:
            wrap = busy.watched_async if is_async else busy.watched
            stack.enter_context(patch.object(owner, name, wrap(stage, getattr(owner, name))))

        watch(encode, "read_rows", "read", is_async=True)
        watch(erasure, "encode", "code")
        watch(coding, "sha256_blocks", "sha256")
        watch(poseidon2, "block_digests", "poseidon2")
        watch(ProtectedTree, "put", "store", is_async=True)
        watch(ProtectedTree, "finish", "store", is_async=True)
        watch(ProtectedTree, "adopt", "adopt", is_async=True)
        watch(encode, "_build_slots", "slot trees", is_async=True)
        watch(ProtectedTree, "publish", "publish", is_async=True)
        yield


async def upload(store: Store, size: int) -> Dataset:
    intake = store.begin_upload(expected_bytes=size)
    for piece in pieces(size, seed=1):
        await intake.write(bytes(piece))
    return await intake.commit()


async def run(directory: Path, size: int, k: int, m: int) -> dict[str, Any]:
    clock = SystemClock()
    events = EventBus(clock)
    store = await open_store(
        directory, quota_bytes=4 * size, clock=clock, events=events, default_ttl=None
    )
    (directory / "slots").mkdir()
    slots = SlotFiles(DirectoryDisk(directory / "slots"), events)
    try:
        source = await upload(store, size)
        before, rss_before = resource.getrusage(resource.RUSAGE_SELF), own_peak_bytes()
        workers = LocalWorkers(Waits(clock))
        ports = ProtectPorts(store, slots, _nothing, events, clock, workers)
        jobs = Protections(ports, lifetime_seconds=3600)
        busy = Busy()
        with watching(busy):
            started = time.perf_counter()
            await jobs.wait(await jobs.start(source.manifest_cid, k, m))
            seconds = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_SELF)
    finally:
        await store.close()
    return {
        "bytes": size,
        "seconds": seconds,
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_rss": own_peak_bytes(),
        "rss_before": rss_before,
        "busy": busy.seconds,
        "sha256_limit": _rate(lambda data: hashing.sha256_blocks(data, 65_536)),
        "poseidon2_limit": _rate(lambda data: poseidon2.block_digests(data, 65_536)),
    }


async def _nothing(_: object) -> None:
    """Everything is here."""


def _rate(work: Callable[[bytes], object]) -> float:
    """Bytes a second of a kernel on all cores, on its own."""
    data = random.Random(2).randbytes(16 << 20)
    work(data)
    started = time.perf_counter()
    for _ in range(2):
        work(data)
    return 2 * len(data) / (time.perf_counter() - started)


if __name__ == "__main__":
    place, size, k, m = sys.argv[1:]
    print(json.dumps(asyncio.run(run(Path(place), int(size), int(k), int(m)))))
