"""Any K rows of some columns, as soon as they can be had. The policy is `dataset/row_choice.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from quire.base.errors import BlockMissing, DeadlineExceeded
from quire.dataset.row_choice import can_reach, rows_to_ask, spare_rows
from quire.dataset.trouble import tell_lack
from quire.flow.rows import RowSource

POLL_SECONDS = 0.25  # between looks at peers of which nothing is heard


async def gather_rows(
    source: RowSource,
    first: int,
    stop: int,
    *,
    without: Collection[int],
    preferred: int,
    deadline: float,
) -> dict[int, bytes]:
    """K rows of columns [first, stop), by number, padding as zeros.

    without    rows that are not to be used: those that are to be computed
    preferred  rows below this number are taken first, see `rows_to_ask`
    Raises   DeadlineExceeded, BlockMissing  fewer than K rows came up to `deadline`
             QuotaExceeded, DiskFull         what comes cannot be kept
    Cost     memory K × columns × block size
    """
    loop, geometry = asyncio.get_running_loop(), source.geometry
    got: dict[int, bytes] = {}
    tasks: dict[int, asyncio.Task[bytes]] = {}
    failures: dict[int, int] = {}
    try:
        while True:
            states = source.states(first, stop)
            usable = {row: state for row, state in states.items() if row not in without}
            for row in rows_to_ask(
                geometry.k,
                usable,
                got=got,
                asked=tasks,
                spares=spare_rows(geometry.m),
                preferred=preferred,
                speed=lambda row: source.speed(row, first, stop),
            ):
                tasks[row] = loop.create_task(source.get(row, first, stop, deadline))
            await _pause(source, tasks.values(), loop.time())
            for row, task in list(tasks.items()):
                if task.done():
                    del tasks[row]
                    _take(row, task, got, failures)
            if len(got) >= geometry.k:
                return {row: got[row] for row in sorted(got)[: geometry.k]}
            if loop.time() >= deadline:
                raise _too_late(source, first, stop, len(got))
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


def _take(
    row: int, task: asyncio.Task[bytes], got: dict[int, bytes], failures: dict[int, int]
) -> None:
    """The outcome of a row. One whose blocks turned out bad may come again, once."""
    try:
        got[row] = task.result()
    except DeadlineExceeded:
        return  # so is everything
    except BlockMissing:
        failures[row] = failures.get(row, 0) + 1
        if failures[row] > 1:
            raise


def _too_late(source: RowSource, first: int, stop: int, came: int) -> DeadlineExceeded:
    """Why there are not K rows, and who was asked for them."""
    k, states = source.geometry.k, source.states(first, stop)
    lack = f"only {came} of the {k} rows that are needed came in time"
    if not can_reach(k, states):
        lack = tell_lack(k, states)
    return DeadlineExceeded(f"columns {first} to {stop - 1}: {lack}; asked were {source.asked()}")


async def _pause(source: RowSource, tasks: Collection[asyncio.Task[bytes]], now: float) -> None:
    """Until a row is there, or it is worth to look again."""
    late_at = source.next_late_at()
    seconds = POLL_SECONDS if late_at is None else min(POLL_SECONDS, max(0.0, late_at - now))
    changed = source.changed()
    waited: list[asyncio.Future[Any]] = [*tasks, *([] if changed is None else [changed])]
    if waited:
        await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    else:
        await asyncio.sleep(seconds)
