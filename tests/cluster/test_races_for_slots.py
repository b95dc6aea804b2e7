"""Two hosts after the same slot, as real processes: one fills it, one gives all of it back."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.chain.events import SlotFilled, SlotReserved
from quire.chain.quantity import quantity
from quire.chain.values import RequestState, SlotState
from support.market_town import BLOCK, COLLATERAL, SLOT_BYTES, K, M, Town, market_town

LOSER_STATES = ("SaleIgnored", "SaleErrored")


async def until_all_want_one(town: Town, transactions: int) -> None:
    """Wait until so many transactions are ready for the next block, which is not mined."""

    async def are_ready() -> bool:
        status = await town.market.chain.call("txpool_status")
        return quantity(status["pending"], "transactions") >= transactions

    await town.until(are_ready, f"{transactions} transactions wait for a block")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_of_two_hosts_that_race_for_a_slot_one_fills_it_and_the_other_has_lost_nothing(
    tmp_path: Path,
) -> None:
    async with market_town(tmp_path) as town:
        await town.start("client")
        await town.start("first")
        most = K + M - 1
        stake = SLOT_BYTES * COLLATERAL
        await town.offer("first", totalSize=most * SLOT_BYTES, totalCollateral=str(most * stake))
        racers = ["left", "right"]
        for name in racers:
            await town.start(name)
        had = {name: await town.tokens(name) for name in racers}
        request_id = await town.request("client")
        await town.until_slots(request_id, SlotState.FILLED, most)
        slot = (await town.slot_states(request_id)).index(SlotState.FREE)

        await town.market.chain.hold()
        await town.market.chain.mine()
        for name in racers:
            await town.offer(name)
        await until_all_want_one(town, len(racers))
        await town.market.chain.mine_every(1)
        await town.until_request(request_id, RequestState.STARTED)

        events = await town.chain.past_events(0)
        reserved = [e.host for e in events if isinstance(e, SlotReserved) and e.slot_index == slot]
        assert sorted(reserved) == sorted(map(town.market.account, racers))
        winner = str((await town.holders(request_id))[slot])
        assert winner in racers
        (loser,) = set(racers) - {winner}
        await town.until_ended(loser, request_id, slot)
        assert await town.sale(loser, request_id, slot) in LOSER_STATES
        await town.until_sale(winner, request_id, slot, "SaleProving")
        events = await town.chain.past_events(0)
        filled = [e.slot_index for e in events if isinstance(e, SlotFilled)]
        assert sorted(filled) == list(range(K + M))
        assert await town.tokens(winner) == had[winner] - stake
        assert await town.tokens(loser) == had[loser]
        async with town.api(loser) as api:
            (offer,) = await api.offers()
            space = await api.json("GET", "/space")
        assert offer["freeSize"] == offer["totalSize"] == SLOT_BYTES
        assert offer["totalRemainingCollateral"] == offer["totalCollateral"]
        assert space["quotaReservedBytes"] == SLOT_BYTES  # for the next slot
        assert space["quotaUsedBytes"] < BLOCK  # the manifest
        await town.adds_up()
