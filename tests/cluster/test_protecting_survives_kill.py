"""A process that protects a dataset dies at random moments; no column that was durable is coded
again, the result is the right one, and what is never finished leaves nothing.

QUIRE_PROTECT_KILLS sets how often (default 25).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.dataset.geometry import Geometry
from support.protect_child import BLOCK, DATA, KEEP, LIFETIME_SECONDS, K, M, jobs_over, opened
from support.protect_kit import expected

KILLS = int(os.environ.get("QUIRE_PROTECT_KILLS", "25"))
GEOMETRY = Geometry(-(-len(DATA) // BLOCK), K, M, BLOCK)


class LateClock(SystemClock):
    """The same clock, so many seconds later."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> float:
        return super().now() + self._seconds


class Heard:
    """What the processes said, and whether it can be true."""

    def __init__(self) -> None:
        self.durable = 0  # columns, at least
        self.resumed = 0
        self.finished: set[str] = set()
        self.is_first = True  # of one life: it begins where the last has ended

    def hear(self, line: str) -> None:
        words = line.split()
        if words[0] == "code":
            assert int(words[1]) >= self.durable, f"column {words[1]} was durable"
            self.resumed += self.is_first and self.durable > 0
            self.is_first = False
        elif words[0] == "durable":
            self.durable = max(self.durable, int(words[1]) // (K * BLOCK))
        elif words[0] == "done":
            self.finished.add(words[1])
            self.durable = 0  # it is deleted next, and begun anew


def run_and_kill(directory: Path, rng: random.Random, heard: Heard) -> None:
    """Start the child, kill it a moment after it has begun, and hear what it said."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    child = subprocess.Popen(
        [sys.executable, "-m", "support.protect_child", directory],
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"open\n"
    time.sleep(rng.uniform(0.0, 0.6))  # not to wait for anything: the moment of death is random
    child.send_signal(signal.SIGKILL)
    said = child.stdout.read().decode()
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()
    heard.is_first = True
    for line in said.splitlines(keepends=True):
        if line.endswith("\n"):
            heard.hear(line)


async def finish(directory: Path, cid: str | None) -> None:
    """Whatever the last kill left, the job comes to its end, with the right result."""
    clock = SystemClock()
    events = EventBus(clock)
    store, slot_files = await opened(directory, clock, events)
    try:
        (source,) = [d for d in await store.datasets() if d.manifest.dataset_size == len(DATA)]
        jobs = jobs_over(store, slot_files, clock, events)
        result = await jobs.wait(await jobs.start(source.manifest_cid, K, M, keep=KEEP))
        root, slot_roots = expected(DATA, K, M, BLOCK)
        assert result.tree_root == root
        assert cid in (None, str(result.manifest_cid))
        held = await slot_files.held()
        assert held == [(root, slot) for slot in range(K + M)]
        assert [(await slot_files.open(root, slot)).root for slot in range(K + M)] == slot_roots
        assert (await store.verify()).problems == []
        await store.delete(result.manifest_cid)
        await store.reclaimed()
    finally:
        await slot_files.close()
        await store.close()


async def expire(directory: Path) -> None:
    """A day later nothing is there but the dataset itself."""
    clock = LateClock(2 * LIFETIME_SECONDS)
    events = EventBus(clock)
    store, slot_files = await opened(directory, clock, events)
    try:
        await jobs_over(store, slot_files, clock, events).expire()
        assert await store.protecting.every() == []
        await store.reclaimed()
        report = await store.verify()
        assert report.problems == []
        assert report.blocks == GEOMETRY.original_blocks
        assert await slot_files.held() == []
        assert store.space().quota_reserved_bytes == 0
    finally:
        await slot_files.close()
        await store.close()


@pytest.mark.slow
@pytest.mark.timeout(120 + 10 * KILLS)
async def test_protecting_survives_any_number_of_kills(tmp_path) -> None:
    rng = random.Random(9)
    heard = Heard()
    for _ in range(KILLS):
        run_and_kill(tmp_path / "node", rng, heard)
    assert heard.resumed > 0
    assert len(heard.finished) <= 1
    await finish(tmp_path / "node", next(iter(heard.finished), None))
    run_and_kill(tmp_path / "node", rng, Heard())
    await expire(tmp_path / "node")
