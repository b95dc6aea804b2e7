"""Places: the urgent go first, and nobody's place is lost."""

from __future__ import annotations

import asyncio

import pytest

from quire.base.clock import SystemClock
from quire.base.errors import Busy, WorkersLost
from quire.base.waits import Waits
from quire.services.workers import places as module
from quire.services.workers.places import BATCH, PROOF, SUBJECT, TREE, Places


@pytest.fixture
def waits() -> Waits:
    return Waits(SystemClock())


@pytest.fixture
def places(waits: Waits) -> Places[str]:
    return Places(waits)


async def line(places: Places[str], *urgencies: int) -> list[asyncio.Task[str]]:
    """Tasks that wait, in this order of coming."""
    tasks = [
        asyncio.ensure_future(places.take(urgency, f"task {at}"))
        for at, urgency in enumerate(urgencies)
    ]
    await asyncio.sleep(0)
    return tasks


async def test_a_free_place_is_had_at_once(places: Places[str]) -> None:
    places.give("a")
    places.give("b")
    assert [await places.take(BATCH, "x"), await places.take(BATCH, "y")] == ["a", "b"]
    assert (places.free_count, places.queued_count) == (0, 0)


async def test_proofs_go_before_trees_and_trees_before_batches(places: Places[str]) -> None:
    tasks = await line(places, BATCH, TREE, BATCH, PROOF, PROOF)
    order = []
    for at, task in enumerate(tasks):
        task.add_done_callback(lambda _, at=at: order.append(at))
    for _ in tasks:
        places.give("p")
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == [3, 4, 1, 0, 2]


async def test_who_waits_is_told_of_with_a_deadline(places: Places[str], waits: Waits) -> None:
    [task] = await line(places, PROOF)
    [wait] = waits.of(SUBJECT)
    assert wait["reason"] == "task 0 waits for a worker that is free"
    assert 0 < float(str(wait["remainingSeconds"])) <= module.TURN_SECONDS_MAX
    places.give("p")
    await task
    assert waits.of(SUBJECT) == []


async def test_who_waits_too_long_is_told(
    places: Places[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TURN_SECONDS_MAX", 0.01)
    with pytest.raises(Busy, match="no worker was free for coding"):
        await places.take(BATCH, "coding")
    places.give("p")
    assert places.free_count == 1


async def test_a_place_of_one_who_gave_up_is_the_next_ones(places: Places[str]) -> None:
    first, second = await line(places, BATCH, BATCH)
    first.cancel()
    await asyncio.wait([first])
    places.give("p")
    assert await second == "p"


async def test_a_place_that_came_with_the_cancellation_is_not_lost(places: Places[str]) -> None:
    first, second = await line(places, BATCH, BATCH)
    places.give("p")  # the first is given it, and has not run yet
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    assert await second == "p"


async def test_a_place_that_is_no_more_is_given_to_nobody(places: Places[str]) -> None:
    places.give("a")
    places.give("b")
    places.remove("a")
    places.remove("never there")
    assert await places.take(BATCH, "x") == "b"


async def test_all_who_wait_can_be_refused(places: Places[str]) -> None:
    tasks = await line(places, BATCH, PROOF)
    places.refuse("there is nobody")
    for task in tasks:
        with pytest.raises(WorkersLost, match="there is nobody"):
            await task
    places.give("p")
    assert (places.free_count, places.queued_count) == (1, 0)
