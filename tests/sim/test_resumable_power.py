"""Power is cut at every single step of a resumable upload: what was acknowledged is there, and
going on from it gives the dataset of an uninterrupted upload."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager
from typing import Any

from quire.base.events import EventBus
from quire.sim.machine import Machine
from quire.store.meta import Meta
from quire.store.store import Store
from quire.store.unfinished import UploadRow
from support.store_kit import BLOCK, Remote, TurnedClock, assert_sound, get

SIZE = 1100 * BLOCK + 123  # more than one page
PARTS = (1, BLOCK, 30 * BLOCK + 5, 900 * BLOCK, 100 * BLOCK, SIZE)
DATA = random.Random(2).randbytes(SIZE)
ROW = UploadRow("u", 1.0, 9e9, BLOCK, SIZE, 0, None, None, None, None, "")


class AtOnce(Executor):
    """Does the work where it is handed in, so that steps have one order."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


@asynccontextmanager
async def store_on(machine: Machine):
    clock = TurnedClock()
    store = await Store.open(
        machine.disk,
        Meta(machine.connect, on_commit=machine.committed),
        quota_bytes=1 << 30,
        clock=clock,
        events=EventBus(clock),
        default_ttl=None,
        executor=AtOnce(),
        pack_bytes_max=1 << 20,
        ballast_bytes=0,
    )
    try:
        yield store
    finally:
        await store.close()


async def send(store: Store, tell: Callable[[int], None]):
    """Send what is missing in parts; `tell` hears what was acknowledged. The dataset at the end."""
    for size in PARTS:
        upload = await store.resumables.open("u", 1000.0)
        await upload.write(DATA[upload.position : upload.position + size])
        if upload.position == SIZE:
            dataset = await upload.commit()
            tell(SIZE)
            return dataset
        await upload.checkpoint()
        await upload.close()
        tell(upload.position)
    raise AssertionError("the parts are not enough")


async def run_until_cut(step: int | None) -> tuple[Machine, int, int]:
    """The machine after the loss of power, what had been acknowledged, and the steps in all."""
    machine = Machine.blank(random.Random(step), capacity_bytes=1 << 28)
    acknowledged = [0]
    at_cut: list[int] = []
    async with store_on(machine) as store:
        await store.resumables.create(ROW)
        first = machine.steps
        if step is not None:
            machine.cut_power_at(first + step, lambda: at_cut.append(acknowledged[0]))
        await send(store, lambda offset: acknowledged.__setitem__(0, offset))
        steps = machine.steps - first
    return machine, at_cut[0] if at_cut else SIZE, steps


async def test_every_acknowledged_byte_survives_a_loss_of_power_at_every_step() -> None:
    machine, _, steps = await run_until_cut(None)
    machine.close()
    assert steps > 20
    for step in range(steps):
        machine, acknowledged, _ = await run_until_cut(step)
        image = machine.cut(loses_power=True)
        machine.close()
        after = Machine(image, random.Random(step))
        async with store_on(after) as store:
            row = await store.resumables.find("u")
            assert acknowledged <= row.position <= SIZE
            if not row.is_complete:
                await send(store, lambda _: None)
            (dataset,) = await store.datasets()
            assert dataset.tree_root == Remote.of(DATA).root
            assert await get(store, dataset) == DATA
            await assert_sound(store)
        after.close()
