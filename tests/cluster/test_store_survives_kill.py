"""The store under SIGKILL: a process works at random, dies at random moments, and nothing that it
acknowledged is lost. One data directory lives through all the kills.

QUIRE_KILLS sets how often the process is killed (default 100).
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
from quire.formats.cid import manifest_cid
from quire.store.open import open_store
from support.store_child import BLOCK, PACK_BYTES, QUOTA, manifest_of, payload

PAYLOADS = 48
KILLS = int(os.environ.get("QUIRE_KILLS", "100"))
CHECK_EVERY = 10  # kills between two full checks; every start recovers


class Expected:
    """What must be there, by the facts that the child reported."""

    def __init__(self) -> None:
        self.state: dict[int, str] = dict.fromkeys(range(PAYLOADS), "gone")
        self.parts: dict[int, int] = {}

    def hear(self, line: str) -> None:
        words = line.split()
        if words[0] == "open":
            return
        number = int(words[1])
        if words[0] == "have":
            self.state[number] = "have"
        elif words[0] == "gone":
            self.state[number] = "gone"
            self.parts.pop(number, None)
        elif words[0] == "drop":
            self.state[number] = "unsure"
            self.parts.pop(number, None)
        elif words[0] == "part":
            self.parts[number] = int(words[2])
        elif words[0] == "try" and self.state[number] == "gone":
            self.state[number] = "unsure"


def run_and_kill(directory: Path, seed: int, rng: random.Random, expected: Expected) -> None:
    """Start the child, kill it a moment after it has opened the store, and hear what it said."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    child = subprocess.Popen(
        [sys.executable, "-m", "support.store_child", directory, str(seed), str(PAYLOADS)],
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"open\n"
    time.sleep(rng.uniform(0.0, 0.12))  # not to wait for anything: the moment of death is random
    child.send_signal(signal.SIGKILL)
    said = child.stdout.read().decode()
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()
    for line in said.splitlines(keepends=True):
        if line.endswith("\n"):
            expected.hear(line)


async def check(directory: Path, expected: Expected) -> None:
    clock = SystemClock()
    store = await open_store(
        directory,
        quota_bytes=QUOTA,
        clock=clock,
        events=EventBus(clock),
        default_ttl=None,
        pack_bytes_max=PACK_BYTES,
    )
    try:
        report = await store.verify()
        assert report.problems == []
        space = store.space()
        manifests = [len(each.manifest_bytes) for each in await store.datasets()]
        assert space.total_blocks == report.blocks + len(manifests)
        assert space.quota_used_bytes == report.block_bytes + sum(manifests)
        assert space.quota_reserved_bytes == 0
        assert report.block_bytes <= report.allocated_bytes <= report.block_bytes + 64 * 1024
        await check_datasets(store, expected)
    finally:
        await store.close()


async def check_datasets(store, expected: Expected) -> None:
    found = {each.manifest_cid.digest: each for each in await store.datasets()}
    for number, state in expected.state.items():
        data = payload(number)
        dataset = found.pop(manifest_cid(manifest_of(data)).digest, None)
        if state == "have":
            assert dataset is not None, f"dataset {number} was acknowledged and is gone"
            assert dataset.is_complete
        if state == "gone":
            assert dataset is None, f"dataset {number} was deleted and is there"
        if dataset is None:
            expected.state[number] = "gone"
            expected.parts.pop(number, None)
            continue
        present = store.tree(dataset.tree_root).present
        assert present.covers(0, expected.parts.get(number, 0))
        assert present.count() == dataset.present_count
        for start, stop in present:
            got = await store.read_range(dataset.tree_root, start, stop - start)
            want = data[start * BLOCK : stop * BLOCK]
            assert got == want + bytes((stop - start) * BLOCK - len(want))
        if dataset.is_complete:
            expected.state[number] = "have"
    assert not found, "a dataset that nobody put is visible"


@pytest.mark.slow
@pytest.mark.timeout(120 + 2 * KILLS)
async def test_nothing_acknowledged_is_lost_however_often_the_process_is_killed(
    tmp_path: Path,
) -> None:
    rng = random.Random(20)
    expected = Expected()
    for kill in range(KILLS):
        run_and_kill(tmp_path, kill, rng, expected)
        if kill % CHECK_EVERY == CHECK_EVERY - 1:
            await check(tmp_path, expected)
    await check(tmp_path, expected)
