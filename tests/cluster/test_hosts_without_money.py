"""Hosts without coins for gas and without tokens: they say so, keep nothing back, and go on when
money has come. Real nodes, real chain, real proofs."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.chain.abi import address_text
from quire.chain.deployment import TOKENS_EACH
from quire.chain.values import SlotState
from support.market_town import COLLATERAL, SLOT_BYTES, K, M, Town, market_town

COINS = 10**18


async def until_it_says(town: Town, name: str, words: str) -> None:
    """Wait until a sale of a host speaks of something over REST."""

    async def is_said() -> bool:
        sales = await town.sales(name)
        return any(words in f"{sale['words']} {sale['trouble']}" for sale in sales)

    await town.until(is_said, f"{name} says {words!r}")


async def until_it_is_free(town: Town, name: str) -> None:
    """Wait until nothing of an offer is put aside."""

    async def is_free() -> bool:
        (offer,) = await town.offers(name)
        is_paid_back = offer["totalRemainingCollateral"] == offer["totalCollateral"]
        return is_paid_back and offer["freeSize"] == offer["totalSize"] == SLOT_BYTES

    await town.until(is_free, f"the offer of {name} is free again")


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_hosts_out_of_gas_and_out_of_tokens_say_so_and_go_on_when_money_came(
    tmp_path: Path,
) -> None:
    async with market_town(tmp_path) as town:
        await town.start("client")
        poor, broke, _ = names = [f"host{number}" for number in range(K + M)]
        for name in names:
            await town.start(name)
        no_coins = address_text(town.market.account(poor))
        await town.market.chain.call("anvil_setBalance", no_coins, "0x0")
        await town.take_tokens(broke, TOKENS_EACH)
        for name in names:
            await town.offer(name)
        had = {name: await town.tokens(name) for name in ["client", *names]}
        request_id = await town.request("client")
        await until_it_says(town, poor, "nothing to pay transactions with")
        needed = SLOT_BYTES * COLLATERAL
        await until_it_says(town, broke, f"has 0 tokens; {needed} are needed as collateral")
        await until_it_is_free(town, poor)
        await until_it_is_free(town, broke)
        await town.until_slots(request_id, SlotState.FILLED, 1)

        await town.market.chain.call("anvil_setBalance", no_coins, hex(COINS))
        await town.give_tokens(broke, needed)
        await town.until_started(request_id)
        assert sorted(filter(None, await town.holders(request_id))) == names

        await town.market.advance_to(await town.chain.request_end(request_id) + 1)
        await town.until_slots(request_id, SlotState.PAID, K + M)
        await town.until_purchase("client", request_id, "finished")
        for name in names:
            await town.until_sale_is_over(name)
            await until_it_is_free(town, name)

        async def has_all() -> bool:
            total = sum([await town.tokens(name) for name in ["client", *names]])
            return total == sum(had.values()) + needed

        await town.until(has_all, "client and hosts have what they had, and what was given")
        await town.adds_up()
