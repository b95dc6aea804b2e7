"""Hosts that are killed in each state of a sale, and just after each thing that they do: they go
on, nothing is lost, nothing is paid twice. Real nodes, real chain, real proofs, real SIGKILL."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from quire.chain.events import SlotFilled
from quire.chain.values import SlotState
from support.market_town import COLLATERAL, SLOT_BYTES, K, M, Town, market_town

# The moments (support.doomed) at which each of three hosts dies, one after the other.
BEFORE_IT_STARTED = {
    "host0": ["SaleSlotReserving", "Reserved", "SaleFilled"],
    "host1": ["SaleDownloading", "SaleInitialProving", "SaleProving"],
    "host2": ["SaleFilling", "Filled"],
}
AFTER_ITS_END = {"host0": "SalePayout", "host1": "TakenBack", "host2": "SaleFinished"}


async def dies_again_and_again(town: Town, name: str, moments: list[str]) -> None:
    await town.start(name, doomed_at=moments[0])
    await town.offer(name)
    for next_moment in (*moments[1:], ""):
        await town.until_dead(name)
        await town.restart(name, doomed_at=next_moment)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_hosts_that_are_killed_in_any_state_are_paid_once_and_lose_nothing(
    tmp_path: Path,
) -> None:
    async with market_town(tmp_path) as town:
        await town.start("client")
        request_id = await town.request("client")
        had = await town.tokens("client")
        await asyncio.gather(
            *(dies_again_and_again(town, name, list(m)) for name, m in BEFORE_IT_STARTED.items())
        )
        await town.until_started(request_id)
        before = {name: await town.tokens(name) for name in AFTER_ITS_END}
        for name, moment in AFTER_ITS_END.items():
            await town.restart(name, doomed_at=moment)
        await town.market.advance_to(await town.chain.request_end(request_id) + 1)
        for name in AFTER_ITS_END:
            await town.until_dead(name)
            await town.restart(name)
        await town.until_slots(request_id, SlotState.PAID, K + M)
        await town.until_purchase("client", request_id, "finished")

        earned = 0
        for name in AFTER_ITS_END:
            sale = await town.until_sale_is_over(name)
            (offer,) = await town.offers(name)
            assert offer["freeSize"] == offer["totalSize"] == SLOT_BYTES
            assert offer["totalRemainingCollateral"] == offer["totalCollateral"]
            assert int(sale["money"]["returned"]) == SLOT_BYTES * COLLATERAL
            gained = await town.tokens(name) - before[name]
            assert gained == SLOT_BYTES * COLLATERAL + int(sale["money"]["payout"])
            earned += int(sale["money"]["payout"])
        await town.until_nothing_is_left()
        request = await town.chain.request(request_id)
        assert await town.tokens("client") == had + request.ask.max_price - earned
        fills = [event for event in await town.events() if isinstance(event, SlotFilled)]
        assert len(fills) == K + M
        await town.adds_up()
