"""Power is cut at every single step of protecting a dataset: columns that were durable are not
coded again, and going on gives the dataset that protecting without a cut gives."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager

import pytest

from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.flow.protect import Protections, ProtectPorts
from quire.services.workers.local import LocalWorkers
from quire.sim.machine import Machine
from quire.store.meta import Meta
from quire.store.slot_files import SlotFiles
from quire.store.store import Store
from support.protect_kit import expected, make_steps_small, nobody
from support.store_kit import BLOCK, PIN, Inline, TurnedClock, assert_sound, get, put

DATA = random.Random(2).randbytes(45 * BLOCK - 7)  # 12 columns of 4 + 2, three pads
ROOT, SLOT_ROOTS = expected(DATA, 4, 2, BLOCK)
LIFETIME = 1000.0


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch):
    make_steps_small(monkeypatch)


@asynccontextmanager
async def node_on(machine: Machine, clock: TurnedClock | None = None):
    """A store, its slot files and its jobs on a machine."""
    clock = clock or TurnedClock()
    events = EventBus(clock)
    store = await Store.open(
        machine.disk,
        Meta(machine.connect, on_commit=machine.committed),
        quota_bytes=1 << 30,
        clock=clock,
        events=events,
        default_ttl=None,
        executor=Inline(),
        pack_bytes_max=1 << 20,
        ballast_bytes=0,
    )
    slot_files = SlotFiles(machine.disk, events, Inline())
    await slot_files.follow(store)
    workers = LocalWorkers(Waits(clock), executor=Inline())
    ports = ProtectPorts(store, slot_files, nobody, events, clock, workers)
    jobs = Protections(ports, lifetime_seconds=LIFETIME)
    try:
        yield store, slot_files, jobs
    finally:
        await jobs.stop()
        await slot_files.close()
        await store.close()


async def protected(store: Store, jobs: Protections):
    source = await put(store, DATA, root=PIN)
    job = await jobs.start(source.manifest_cid, 4, 2, keep=PIN)
    return await jobs.wait(job), job


async def run_until_cut(step: int | None) -> tuple[Machine, int, int]:
    """The machine after the loss of power, the columns that were durable, and the steps in all."""
    machine = Machine.blank(random.Random(step), capacity_bytes=1 << 28)
    at_cut: list[int] = []
    async with node_on(machine) as (store, _, jobs):
        await put(store, DATA, root=PIN)
        first = machine.steps

        def note() -> None:
            at_cut.extend(tree.steps for tree in store.protecting._open.values())

        if step is not None:
            machine.cut_power_at(first + step, note)
        await protected(store, jobs)
        steps = machine.steps - first
    return machine, at_cut[0] if at_cut else 0, steps


async def test_protecting_goes_on_after_a_loss_of_power_at_every_step() -> None:
    machine, _, steps = await run_until_cut(None)
    machine.close()
    assert steps > 30
    resumed = 0
    for step in range(steps):
        machine, durable, _ = await run_until_cut(step)
        image = machine.cut(loses_power=True)
        machine.close()
        after = Machine(image, random.Random(step))
        async with node_on(after) as (store, slot_files, jobs):
            (source,) = [d for d in await store.datasets() if not d.manifest.is_protected]
            before = await store.protecting.result(source.manifest_cid, 4, 2)
            result, job = await protected(store, jobs)
            assert before is not None or job.resumed_steps >= durable
            resumed += job.resumed_steps > 0
            assert result.tree_root == ROOT
            assert await get(store, result) == DATA
            held = [(await slot_files.open(ROOT, slot)).root for slot in range(6)]
            assert held == SLOT_ROOTS
            await assert_sound(store)
        after.close()
    assert resumed > 5


async def test_what_a_loss_of_power_left_expires_without_a_trace() -> None:
    _, _, steps = await run_until_cut(None)
    for step in range(0, steps, 3):
        machine, _, _ = await run_until_cut(step)
        image = machine.cut(loses_power=True)
        machine.close()
        after = Machine(image, random.Random(step))
        clock = TurnedClock(1_000_000.0 + 2 * LIFETIME)
        async with node_on(after, clock) as (store, slot_files, jobs):
            await jobs.expire()
            for dataset in await store.datasets():
                if dataset.manifest.is_protected:
                    await store.delete(dataset.manifest_cid)
            await assert_sound(store)
            assert (await store.verify()).blocks == 45
            held = {root for root, _ in await slot_files.held()}
            assert all(store.tree(root) is not None for root in held)
        after.close()
