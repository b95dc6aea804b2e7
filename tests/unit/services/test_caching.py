"""Nodes that give and take of each other's caches: what is free, what is paid, and what is not."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from quire.base.errors import DeadlineExceeded
from quire.base.units import MIB
from support.cache_kit import PRICE, CacheTown, fetch, publish, town
from support.machine_kit import in_virtual_time

Scene = Callable[[CacheTown], Coroutine[Any, Any, None]]


def play(scene: Scene) -> None:
    async def main(clock):
        async with town(clock) as it:
            await scene(it)

    in_virtual_time(main)


def test_a_node_without_money_starts_on_the_free_tier() -> None:
    async def scene(it: CacheTown) -> None:
        seller = await it.node("seller", price=PRICE, free_bytes=4 * MIB)
        buyer = await it.node("buyer", tokens=None)
        await it.connect(buyer, seller)
        await fetch(buyer, publish(seller, 4 * MIB))
        assert seller.trade(buyer).given_bytes == 4 * MIB
        assert seller.trade(buyer).free_left_bytes == 0
        assert (seller.caching.total().earned, buyer.caching.total().spent) == (0, 0)

    play(scene)


def test_beyond_it_vouchers_flow_and_the_sums_agree_to_the_token() -> None:
    async def scene(it: CacheTown) -> None:
        seller = await it.node("seller", price=PRICE, free_bytes=4 * MIB)
        buyer = await it.node("buyer", max_price=PRICE)
        await it.connect(buyer, seller)
        await fetch(buyer, publish(seller, 20 * MIB))
        sold, bought = seller.trade(buyer), buyer.trade(seller)
        assert (sold.given_bytes, sold.sold_bytes) == (4 * MIB, 16 * MIB)
        assert (bought.taken_bytes, bought.bought_bytes) == (4 * MIB, 16 * MIB)
        assert (sold.earned, bought.spent) == (16 * PRICE, 16 * PRICE)
        assert (sold.owed_to_us, bought.owed_by_us) == (0, 0)
        payee, payer = seller.money.payee, buyer.money.payer
        account = payee.account(payer.payer)
        assert (account.billed, account.received) == (16 * PRICE, 16 * PRICE)
        assert payer.channel(payee.payee).promised == 16 * PRICE

    play(scene)


def test_a_freeloader_is_refused_in_words_and_told_the_price() -> None:
    async def scene(it: CacheTown) -> None:
        seller = await it.node("seller", price=PRICE, free_bytes=2 * MIB)
        buyer = await it.node("buyer", tokens=None)
        await it.connect(buyer, seller)
        with pytest.raises(DeadlineExceeded, match="asks 1000 tokens a MiB"):
            await fetch(buyer, publish(seller, 8 * MIB), 20.0)
        assert seller.trade(buyer).given_bytes == 2 * MIB
        assert "has had what is free today" in seller.told("cache.refused")[0]

    play(scene)
