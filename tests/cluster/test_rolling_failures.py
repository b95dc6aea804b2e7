"""Hosts that die one after the other, with all they had: a paid contract outlives them.

Of 2 + 1 slots one is lost again and again, so that slots are made again from slots that were made
again themselves. The client is away all the while; nobody is told anything.
QUIRE_FAILURES=10 makes every slot again three times.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from quire.chain.events import SlotFreed
from quire.chain.values import RequestState, SlotState
from support.market_lapse import LAPSED, Lapse
from support.market_town import DATA, K, M, Town, market_town

FAILURES = int(os.environ.get("QUIRE_FAILURES", "5"))
ONE_MISS = replace(LAPSED, max_slashes=1)
DURATION = 7200
REBUILD_SOON = ("--rebuild-after", "1s")
FURTHEST_PERIODS = 40  # of one failure: some ask for no proof


async def lose_and_repair(town: Town, lapse: Lapse, slot: int, spare: str) -> None:
    """The host of a slot dies; `spare` has the slot in the end."""
    lost = str(await lapse.holder(slot))
    await town.start(spare, arguments=REBUILD_SOON)
    await town.kill(lost, and_delete=True)
    await town.offer(spare, duration=DURATION)
    for _ in range(FURTHEST_PERIODS):
        assert set(await lapse.next_period(dead=[slot])) <= {slot}
        await lapse.until_marked()
        if await lapse.holder(slot) != lost:
            break
    else:
        raise AssertionError(f"{lost} kept slot {slot} for {FURTHEST_PERIODS} periods")

    async def is_filled() -> bool:
        return await lapse.holder(slot) == spare

    await town.until(is_filled, f"{spare} fills slot {slot}")
    await town.until_sale(spare, lapse.request_id, slot, "SaleProving")


@pytest.mark.slow
@pytest.mark.timeout(60 * FAILURES)
async def test_a_file_outlives_hosts_that_die_one_after_the_other(tmp_path: Path) -> None:
    async with market_town(tmp_path, ONE_MISS) as town:
        await town.start("validator", is_validator=True)
        await town.start("client")
        await town.hosts(K + M, duration=DURATION)
        had = {name: await town.tokens(name) for name in town.nodes}
        request_id = await town.request("client", duration=DURATION)
        await town.until_request(request_id, RequestState.STARTED)
        await town.until_purchase("client", request_id, "started")
        await town.stop("client")

        lapse = Lapse(town, request_id)
        for number in range(FAILURES):
            await lose_and_repair(town, lapse, number % (K + M), f"spare{number}")
        assert await town.slot_states(request_id) == [SlotState.FILLED] * (K + M)
        assert await town.chain.request_state(request_id) == RequestState.STARTED
        events = await town.chain.past_events(0)
        assert sum(isinstance(event, SlotFreed) for event in events) == FAILURES

        reader = await town.start("reader", has_account=False)
        assert await town.download(reader, request_id) == DATA

        await town.market.advance_to(await town.chain.request_end(request_id) + 1)
        await town.until_slots(request_id, SlotState.PAID, K + M)
        await town.start("client")
        await town.until_purchase("client", request_id, "finished")
        await town.until_nothing_is_left()
        assert await town.tokens("client") < had["client"]
        assert await town.tokens("validator") > had["validator"]
        await town.adds_up()
