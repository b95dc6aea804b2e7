"""Nodes that give and take of each other's caches: what is free, what is paid, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from quire.base.errors import DeadlineExceeded, PeerSilent
from quire.base.units import MIB
from quire.channels.tab import Admitted
from quire.formats.charge import Charge, Purse
from quire.services.caching.terms import CacheTerms
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


def test_one_that_gives_as_much_as_it_takes_never_pays() -> None:
    async def scene(it: CacheTown) -> None:
        one = await it.node("one", price=PRICE, free_bytes=2 * MIB, max_price=PRICE)
        two = await it.node("two", price=PRICE, free_bytes=2 * MIB, max_price=PRICE)
        await it.connect(one, two)
        for seed in range(1, 7):
            await fetch(one, publish(two, 2 * MIB, seed))
            await fetch(two, publish(one, 2 * MIB, 100 + seed))
        assert one.trade(two) == two.trade(one)
        assert one.trade(two).given_bytes == one.trade(two).taken_bytes == 12 * MIB
        assert (one.trade(two).spent, one.trade(two).earned) == (0, 0)

    play(scene)


def test_who_takes_more_than_it_gives_pays_for_the_difference() -> None:
    async def scene(it: CacheTown) -> None:
        one = await it.node("one", price=PRICE, max_price=PRICE)
        two = await it.node("two", price=PRICE, max_price=PRICE)
        await it.connect(one, two)
        await fetch(one, publish(two, 8 * MIB, 1))
        await fetch(two, publish(one, 12 * MIB, 2))
        # One paid for all that it took, so what two then took was not given back: it paid, too.
        assert (one.trade(two).spent, one.trade(two).earned) == (8 * PRICE, 12 * PRICE)
        assert (two.trade(one).spent, two.trade(one).earned) == (12 * PRICE, 8 * PRICE)

    play(scene)


def test_the_allowance_is_there_again_on_the_next_day() -> None:
    async def scene(it: CacheTown) -> None:
        seller = await it.node("seller", price=PRICE, free_bytes=2 * MIB)
        buyer = await it.node("buyer", tokens=None)
        await it.connect(buyer, seller)
        await fetch(buyer, publish(seller, 2 * MIB, 1))
        it.clock.turn(86_400.0)
        await fetch(buyer, publish(seller, 2 * MIB, 2))
        assert seller.trade(buyer).given_bytes == 4 * MIB

    play(scene)


def test_a_price_above_what_is_paid_is_refused_by_the_buyer_in_words() -> None:
    async def scene(it: CacheTown) -> None:
        seller = await it.node("seller", price=PRICE)
        buyer = await it.node("buyer", max_price=PRICE - 1)
        await it.connect(buyer, seller)
        with pytest.raises(DeadlineExceeded, match="this node pays at most 999"):
            await fetch(buyer, publish(seller, MIB), 20.0)
        assert buyer.trade(seller).spent == 0

    play(scene)


def test_a_spent_budget_ends_paying_until_the_next_day() -> None:
    async def scene(it: CacheTown) -> None:
        seller = await it.node("seller", price=PRICE)
        buyer = await it.node("buyer", max_price=PRICE, budget=5 * PRICE)
        await it.connect(buyer, seller)
        with pytest.raises(DeadlineExceeded, match="the budget of 5000 tokens a day is spent"):
            await fetch(buyer, publish(seller, 16 * MIB), 30.0)
        assert buyer.trade(seller).spent <= 5 * PRICE
        assert buyer.caching.spent_today() == buyer.trade(seller).spent
        it.clock.turn(86_400.0)
        assert buyer.caching.spent_today() == 0

    play(scene)


def test_a_price_that_changes_in_between_is_charged_from_then_on() -> None:
    async def scene(it: CacheTown) -> None:
        seller = await it.node("seller", price=PRICE)
        buyer = await it.node("buyer", max_price=3 * PRICE)
        await it.connect(buyer, seller)
        await fetch(buyer, publish(seller, 4 * MIB, 1))
        seller.caching.toll.terms = CacheTerms(2 * PRICE, 0)
        await fetch(buyer, publish(seller, 4 * MIB, 2))
        assert seller.trade(buyer).earned == buyer.trade(seller).spent == 12 * PRICE
        seller.caching.toll.terms = CacheTerms(4 * PRICE, 0)
        with pytest.raises(DeadlineExceeded, match="asks 4000 tokens"):
            await fetch(buyer, publish(seller, 4 * MIB, 3), 20.0)
        assert buyer.trade(seller).spent == 12 * PRICE

    play(scene)


def test_what_others_give_for_nothing_is_not_paid_for() -> None:
    async def scene(it: CacheTown) -> None:
        seller, friend = await it.node("seller", price=PRICE), await it.node("friend")
        buyer = await it.node("buyer", tokens=None)
        await it.connect(buyer, seller, friend)
        dataset = publish(seller, 8 * MIB)
        publish(friend, 8 * MIB)
        await fetch(buyer, dataset)
        assert buyer.caching.total().spent == 0
        assert buyer.trade(friend).taken_bytes == 8 * MIB

    play(scene)


@pytest.mark.parametrize("seed", range(4))
def test_lost_and_repeated_vouchers_pay_once(seed: int) -> None:
    async def scene(it: CacheTown) -> None:
        seller = await it.node("seller", price=PRICE)
        buyer = await it.node("buyer", max_price=PRICE)
        rng = Random(seed)
        ask = buyer.money.requests.ask

        async def unreliable(*args: Any, **options: Any) -> memoryview:
            fate = rng.random()
            if fate < 0.2:
                raise PeerSilent("the voucher was lost")
            answer = await ask(*args, **options)
            if fate < 0.4:
                raise PeerSilent("the answer was lost")
            return await ask(*args, **options) if fate < 0.6 else answer

        buyer.money.requests.ask = unreliable
        await it.connect(buyer, seller)
        await fetch(buyer, publish(seller, 6 * MIB), 600.0)
        await asyncio.sleep(120)
        assert buyer.trade(seller).spent == seller.trade(buyer).earned == 6 * PRICE
        account = seller.money.payee.account(buyer.money.payer.payer)
        assert (account.billed, account.received) == (6 * PRICE, 6 * PRICE)

    play(scene)


@pytest.mark.parametrize("who", ["seller", "buyer"])
@pytest.mark.parametrize("is_kill", [False, True])
def test_a_restart_in_between_neither_loses_nor_repeats_a_payment(who: str, is_kill: bool) -> None:
    async def scene(it: CacheTown) -> None:
        seller = await it.node("seller", price=PRICE)
        buyer = await it.node("buyer", max_price=PRICE)
        await it.connect(buyer, seller)
        await fetch(buyer, publish(seller, 4 * MIB, 1))
        one = seller if who == "seller" else buyer
        journal = await it.stop(one, is_kill=is_kill)
        if who == "seller":
            seller = await it.node("seller", price=PRICE, journal=journal)
        else:
            buyer = await it.node("buyer", max_price=PRICE, journal=journal)
        assert (seller.trade(buyer).earned, buyer.trade(seller).spent) == (4 * PRICE, 4 * PRICE)
        await it.connect(buyer, seller)
        await fetch(buyer, publish(seller, 4 * MIB, 2))
        assert seller.trade(buyer).earned == buyer.trade(seller).spent == 8 * PRICE

    play(scene)


@pytest.mark.parametrize("who", ["seller", "buyer"])
@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_crash_in_the_middle_costs_at_most_what_was_under_way(who: str, after: int) -> None:
    """Nobody pays twice; what came before the crash and was not written is the seller's risk."""

    async def scene(it: CacheTown) -> None:
        seller = await it.node("seller", price=PRICE)
        buyer = await it.node("buyer", max_price=PRICE)
        await it.connect(buyer, seller)
        dataset = publish(seller, 8 * MIB)
        loading = asyncio.ensure_future(fetch(buyer, dataset, 300.0))
        while buyer.trade(seller).bought_bytes < after * MIB:
            await asyncio.sleep(0.0001)
        if who == "buyer":
            journal = it.journal_of(buyer)
            loading.cancel()
            await asyncio.wait([loading])
            await it.stop(buyer)
            buyer = await it.node("buyer", max_price=PRICE, journal=journal)
            await it.connect(buyer, seller)
            await fetch(buyer, dataset, 300.0)
        else:
            journal = it.journal_of(seller)
            await it.stop(seller)
            seller = await it.node("seller", price=PRICE, journal=journal)
            publish(seller, 8 * MIB)
            await it.connect(buyer, seller)
            await loading
        await asyncio.sleep(60)
        payer, payee = buyer.money.payer, seller.money.payee
        promised = payer.channel(payee.payee).promised
        account = payee.account(payer.payer)
        assert account.received == promised == buyer.trade(seller).spent
        assert buyer.trade(seller).owed_by_us == 0
        assert promised <= 16 * PRICE  # a buyer that lost its store bought some of it again
        assert abs(seller.trade(buyer).earned - promised) <= 2 * PRICE

    play(scene)


@pytest.mark.parametrize("cut_after", [1, 3, 6])
def test_a_line_that_breaks_in_between_costs_nobody_more_than_is_right(cut_after: int) -> None:
    async def scene(it: CacheTown) -> None:
        seller = await it.node("seller", price=PRICE)
        buyer = await it.node("buyer", max_price=PRICE)
        await it.connect(buyer, seller)
        dataset = publish(seller, 16 * MIB)
        loading = asyncio.ensure_future(fetch(buyer, dataset, 300.0))
        while buyer.trade(seller).bought_bytes < cut_after * MIB:
            await asyncio.sleep(0.0001)
        it.world.network.drop(buyer.peer, seller.peer)
        await asyncio.sleep(5)
        await it.connect(buyer, seller)
        await loading
        sold, bought = seller.trade(buyer), buyer.trade(seller)
        assert bought.spent == -(-bought.bought_bytes * PRICE // MIB)
        assert sold.earned == bought.spent
        assert bought.bought_bytes >= 16 * MIB

    play(scene)


def test_one_that_takes_a_payment_and_serves_nothing_has_one_step_of_it_and_is_told_of() -> None:
    async def scene(it: CacheTown) -> None:
        cheat = await it.node("cheat", price=PRICE)
        buyer = await it.node("buyer", max_price=PRICE)
        admit = cheat.caching.toll.admit

        def greedy(peer: str, root: bytes | None, size_bytes: int, purse: Purse) -> object:
            answer = admit(peer, root, size_bytes, purse)
            if isinstance(answer, Charge):
                return answer
            answer.closed(False)
            payee, domain = cheat.money.payee.payee, cheat.money.hub.domain
            place = (payee, domain.chain_id, domain.contract)
            return Charge(PRICE, 0, 10 * PRICE, *place, is_known=True)

        cheat.caching.toll.admit = greedy
        await it.connect(buyer, cheat)
        with pytest.raises(DeadlineExceeded, match="ahead of what it delivered"):
            await fetch(buyer, publish(cheat, 8 * MIB), 60.0)
        assert buyer.trade(cheat).spent == PRICE  # of one MiB
        assert "it is paid no further" in buyer.told("cache.unpaid")[0]

    play(scene)


def test_one_that_asks_for_a_large_channel_does_not_get_the_wallet_locked_up() -> None:
    async def scene(it: CacheTown) -> None:
        cheat = await it.node("cheat", price=PRICE)
        buyer = await it.node("buyer", max_price=PRICE)
        admit, wallet = cheat.caching.toll.admit, await buyer.money.hub.tokens()

        def greedy(peer: str, root: bytes | None, size_bytes: int, purse: Purse) -> object:
            answer = admit(peer, root, size_bytes, purse)
            if not isinstance(answer, Charge) or answer.is_known:
                return answer
            return replace(answer, due=wallet)

        cheat.caching.toll.admit = greedy
        await it.connect(buyer, cheat)
        await fetch(buyer, publish(cheat, 80 * MIB), 60.0)
        assert await buyer.money.hub.tokens() > wallet // 2

    play(scene)


def test_one_that_charges_more_than_was_offered_is_banned() -> None:
    async def scene(it: CacheTown) -> None:
        cheat = await it.node("cheat", price=PRICE)
        buyer = await it.node("buyer", max_price=PRICE)
        served = cheat.caching.toll.served

        def dear(peer: str, request: Admitted) -> Charge | None:
            charge = served(peer, request)
            return None if charge is None else Charge(2 * PRICE, charge.charged)

        cheat.caching.toll.served = dear
        await it.connect(buyer, cheat)
        with pytest.raises(DeadlineExceeded):
            await fetch(buyer, publish(cheat, 2 * MIB), 20.0)
        assert buyer.trade(cheat).spent == 0
        assert any("where 1000 was offered" in text for text in buyer.told("peer.banned"))

    play(scene)


def test_a_client_with_an_empty_wallet_is_told_and_nothing_is_promised() -> None:
    async def scene(it: CacheTown) -> None:
        seller = await it.node("seller", price=PRICE)
        buyer = await it.node("buyer", max_price=PRICE, tokens=0)
        await it.connect(buyer, seller)
        with pytest.raises(DeadlineExceeded, match="cannot be paid"):
            await fetch(buyer, publish(seller, 2 * MIB), 60.0)
        assert buyer.trade(seller).spent == seller.trade(buyer).earned == 0

    play(scene)


def test_money_in_is_money_out_among_many() -> None:
    async def scene(it: CacheTown) -> None:
        nodes = [
            await it.node(f"n{n}", price=PRICE, free_bytes=MIB, max_price=2 * PRICE)
            for n in range(5)
        ]
        for n, one in enumerate(nodes):
            await it.connect(one, *nodes[n + 1 :])
        dataset = publish(nodes[0], 12 * MIB)
        await asyncio.gather(*(fetch(each, dataset, 300.0) for each in nodes[1:]))
        await asyncio.sleep(10)
        totals = [each.caching.total() for each in nodes]
        assert sum(t.earned for t in totals) == sum(t.spent for t in totals) > 0
        assert sum(t.owed_by_us for t in totals) == 0

    play(scene)
