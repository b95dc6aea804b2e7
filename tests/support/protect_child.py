"""A process that protects a dataset again and again, until it is killed.

    python -m support.protect_child DIRECTORY

It prints one line per fact: `open`; `code A B` before columns [A, B) are coded; `durable N` when N
bytes of the dataset are in durable columns; `done CID`; `gone` when the result is deleted again.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path
from typing import Any

from quire.base.clock import Clock, SystemClock
from quire.base.events import Event, EventBus
from quire.base.waits import Waits
from quire.flow import coding, protect
from quire.flow.protect import Protections, ProtectPorts
from quire.services.workers import local
from quire.services.workers.local import LocalWorkers
from quire.store import protected_tree
from quire.store.dataset import RetentionRoot
from quire.store.files import DirectoryDisk
from quire.store.open import open_store
from quire.store.slot_files import SlotFiles
from quire.store.store import Store
from support.protect_kit import nobody

BLOCK = 4096
K, M = 4, 2
DATA = random.Random(31).randbytes(1500 * BLOCK - 99)  # more than one page of the tree, pads
QUOTA = 1 << 30
KEEP = RetentionRoot("pin", "", None)
LIFETIME_SECONDS = 3600.0


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def opened(directory: Path, clock: Clock, events: EventBus) -> tuple[Store, SlotFiles]:
    directory.mkdir(exist_ok=True)
    store = await open_store(
        directory / "store",
        quota_bytes=QUOTA,
        clock=clock,
        events=events,
        default_ttl=None,
        pack_bytes_max=4 << 20,
    )
    trees = directory / "slots"
    trees.mkdir(exist_ok=True)
    slot_files = SlotFiles(DirectoryDisk(trees), events)
    await slot_files.follow(store)
    return store, slot_files


def jobs_over(store: Store, slots: SlotFiles, clock: Clock, events: EventBus) -> Protections:
    ports = ProtectPorts(
        store=store,
        slots=slots,
        complete=nobody,
        events=events,
        clock=clock,
        workers=LocalWorkers(Waits(clock)),
    )
    return Protections(ports, lifetime_seconds=LIFETIME_SECONDS)


def make_steps_small() -> None:
    coding.BATCH_BYTES = 6 * 4 * BLOCK  # four columns
    protected_tree.STEP_BYTES = 6 * 24 * BLOCK
    protected_tree.STEP_BYTES_A_ROW = BLOCK
    protect.NEWS_SECONDS = 0.0
    whole = coding.code

    def code(rows: Any, geometry: Any, columns: range) -> Any:
        say("code", columns.start, columns.stop)
        return whole(rows, geometry, columns)

    local.code = code


def hear(event: Event) -> None:
    if event.kind == "protect.progress":
        say("durable", event.facts["verifiedBytes"])


async def main(directory: Path) -> None:
    make_steps_small()
    clock = SystemClock()
    events = EventBus(clock)
    events.listen(hear)
    store, slot_files = await opened(directory, clock, events)
    upload = store.begin_upload(block_size=BLOCK)
    await upload.write(DATA)
    source = await upload.commit(root=KEEP)
    jobs = jobs_over(store, slot_files, clock, events)
    say("open")
    while True:
        job = await jobs.start(source.manifest_cid, K, M, keep=KEEP)
        result = await jobs.wait(job)
        say("done", result.manifest_cid)
        await store.delete(result.manifest_cid)
        await store.reclaimed()
        say("gone")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
