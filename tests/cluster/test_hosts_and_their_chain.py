"""Hosts whose chain takes blocks back after every step of a sale, and whose chain's node goes away
while they prove: everything ends as it would have. Real nodes, real chain, real proofs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from quire.chain.abi import slot_id
from quire.chain.events import MarketEvent, ProofSubmitted, SlotFilled, SlotReserved
from quire.chain.values import SlotState
from quire.faces.local_market import BLOCK_SECONDS
from support.market_town import COLLATERAL, SLOT_BYTES, K, M, Town, market_town

HOSTS = ["host0", "host1", "host2"]
TAKEN_BACK = 3  # blocks


async def take_back_as_soon_as(
    town: Town, since: int, fact: Callable[[], Awaitable[object]], what: str
) -> None:
    """Take back three blocks, or more where it needs more so that it has not happened any more.
    `since`: a block at which it had not."""
    before = since

    async def is_so() -> bool:
        nonlocal before
        number = (await town.chain.head()).number
        if await fact():
            return True
        before = number
        return False

    await town.until(is_so, what)
    chain = town.market.chain
    await chain.hold()
    newest = await chain.block_number()
    await chain.rewind(max(TAKEN_BACK, newest - before))
    await chain.mine_every(BLOCK_SECONDS)


def one_more(town: Town, kind: type[MarketEvent], since: int) -> Callable[[], Awaitable[bool]]:
    async def is_there() -> bool:
        return any(isinstance(e, kind) for e in await town.chain.past_events(since + 1))

    return is_there


async def until_all_are_proved(town: Town, slots: list[bytes]) -> None:
    since = (await town.chain.head()).number + 1

    async def are_proved() -> bool:
        told = await town.chain.past_events(since)
        return {e.slot_id for e in told if isinstance(e, ProofSubmitted)} >= set(slots)

    await town.until(are_proved, f"every slot is proved after block {since}")


async def is_settled_with(town: Town, name: str, gained: int) -> None:
    """A host has all that its sales say, and its offer is whole again. A filling that was taken
    back may come again after the host has turned to another slot: then it has two, both paid."""
    paid = await town.until_sales_are_over(name)
    for sale in paid:
        assert int(sale["money"]["returned"]) == SLOT_BYTES * COLLATERAL
    assert sum(int(sale["money"]["payout"]) for sale in paid) == gained
    (offer,) = await town.offers(name)
    assert offer["freeSize"] == offer["totalSize"] == SLOT_BYTES
    assert offer["totalRemainingCollateral"] == offer["totalCollateral"]


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_blocks_taken_back_after_each_step_and_a_chain_that_was_away_change_nothing(
    tmp_path: Path,
) -> None:
    async with market_town(tmp_path) as town:
        chain = town.market.chain
        await town.start("client")
        await asyncio.gather(*(town.start(name) for name in HOSTS))
        request_id = await town.request("client")
        had = {name: await town.tokens(name) for name in ["client", *HOSTS]}
        await chain.mine(TAKEN_BACK)  # the request itself stays
        asked_at = (await town.chain.head()).number
        for name in HOSTS:
            await town.offer(name)
        for kind in (SlotReserved, SlotFilled):
            what = f"the first {kind.__name__}"
            await take_back_as_soon_as(town, asked_at, one_more(town, kind, asked_at), what)

        async def is_started() -> bool:
            return await town.is_started(request_id)

        await take_back_as_soon_as(town, asked_at, is_started, "the request is started")
        await town.until(is_started, "the request is started again")
        slots = [slot_id(request_id, number) for number in range(K + M)]
        await chain.stop()
        await chain.start_again()
        await chain.mine(TAKEN_BACK)  # of blocks before its restart the chain has no state left
        back_at = (await town.chain.head()).number
        proved = one_more(town, ProofSubmitted, back_at)
        await take_back_as_soon_as(town, back_at, proved, "a proof after the chain was away")
        await until_all_are_proved(town, slots)

        await chain.mine(TAKEN_BACK)  # what was there before the end stays
        proved_at = (await town.chain.head()).number
        await town.market.advance_to(await town.chain.request_end(request_id) + 1)

        async def is_paid() -> bool:
            return SlotState.PAID in await town.slot_states(request_id)

        await take_back_as_soon_as(town, proved_at, is_paid, "the first host is paid")
        await town.until_slots(request_id, SlotState.PAID, K + M)
        await town.until_purchase("client", request_id, "finished")

        gained = {name: await town.tokens(name) - had[name] for name in HOSTS}
        for name in HOSTS:
            await is_settled_with(town, name, gained[name])
        assert sum(gained.values()) > 0
        request = await town.chain.request(request_id)

        async def has_its_rest() -> bool:
            rest = request.ask.max_price - sum(gained.values())
            return await town.tokens("client") == had["client"] + rest

        await town.until(has_its_rest, "the client has what its hosts did not earn")
        await town.adds_up()
        assert await town.chain.balance(town.chain.terms.contract) == 0
