"""Purchases come to an end whatever happens, pay once, and get back what is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from quire.base.errors import (
    ChainError,
    ChainUnreachable,
    InsufficientFunds,
    NotMined,
    Refused,
    Reverted,
)
from quire.chain.values import SlotState
from quire.market.bid import BadTerms
from quire.market.purchase import At
from quire.sim.clock import SimClock
from quire.store.dataset import RetentionRoot
from support.machine_kit import in_virtual_time
from support.memory_world import CLIENT, HOST, OTHER, TOKENS, a_world
from support.purchase_kit import BID, Shop

PRICE_PER_SLOT_AND_SECOND = BID.price_per_byte_per_second * 2 * 4096


def story(told: Callable[[Shop], Awaitable[None]]) -> None:
    """Tell it in virtual time; afterwards every token is where it belongs."""

    async def main(clock: SimClock) -> None:
        shop = Shop(clock, a_world())
        await shop.start()
        await told(shop)
        await shop.stop()
        assert shop.waits.of() == []

    in_virtual_time(main)


def paid(shop: Shop) -> int:
    """What the client is without."""
    return TOKENS - shop.world.state.tokens[CLIENT]


def requests(shop: Shop) -> int:
    return len(shop.world.state.requests)


def test_a_request_runs_to_its_end_and_what_hosts_did_not_earn_comes_back() -> None:
    async def told(shop: Shop) -> None:
        key = await shop.buy()
        await shop.settle()
        assert shop.purchase(key).at is At.SUBMITTED
        assert paid(shop) == 3 * 3600 * PRICE_PER_SLOT_AND_SECOND
        await shop.pass_time(100)
        await shop.fill(key, 0, 1, 2)
        await shop.settle()
        assert shop.purchase(key).at is At.STARTED
        assert list(shop.store.roots) == [key]
        over = await shop.until(key, "finished")
        await shop.until_ended()
        assert shop.purchase(key).is_withdrawn
        record = next(iter(shop.world.state.requests.values()))
        earned = sum(record.ends_at - slot.since for slot in shop.world.state.slots.values())
        assert paid(shop) == earned * PRICE_PER_SLOT_AND_SECOND < over.request.ask.max_price
        assert shop.store.roots == {}
        assert [event.kind for event in shop.events.history(key)] == [
            "purchase.pending",
            "purchase.submitted",
            "purchase.started",
            "purchase.safe",
            "purchase.finished",
            "purchase.finished",
        ]
        notes = [note.note for note in await shop.purchases.history(shop.purchase(key))]
        assert notes[-1] == "the contract came to its end; what is left of the money is back"

    story(told)


def test_when_not_every_slot_is_filled_in_time_all_but_what_was_earned_comes_back() -> None:
    async def told(shop: Shop) -> None:
        key = await shop.buy()
        await shop.settle()
        await shop.fill(key, 1)
        await shop.until(key, "cancelled")
        await shop.until_ended()
        assert shop.purchase(key).is_withdrawn
        assert 0 < paid(shop) <= 600 * PRICE_PER_SLOT_AND_SECOND

    story(told)


def test_when_too_many_slots_are_lost_the_whole_price_comes_back() -> None:
    async def told(shop: Shop) -> None:
        key = await shop.buy()
        await shop.settle()
        await shop.fill(key, 0, 1, 2)
        await shop.until(key, "started")
        await shop.give_up(key, 0, 1)
        await shop.until(key, "errored")
        assert (shop.purchase(key).error, paid(shop)) == ("Purchase failed", 0)
        kinds = [event.kind for event in shop.events.history(key)]
        assert kinds[-2:] == ["purchase.failed", "purchase.errored"]

    story(told)


def test_the_owner_is_told_that_it_may_leave_under_the_request_and_the_dataset() -> None:
    async def told(shop: Shop) -> None:
        key = await shop.buy()
        await shop.settle()
        await shop.fill(key, 0, 1, 2)
        await shop.until(key, "started")
        safe = [event for event in shop.events.history() if event.kind == "purchase.safe"]
        assert [event.subject for event in safe] == [key, safe[0].facts["cid"]]
        slots = await shop.purchases.slots(shop.purchase(key))
        assert [slot.state for slot in slots] == [SlotState.FILLED] * 3
        assert [slot.host for slot in slots] == [HOST, OTHER, HOST]

    story(told)


@pytest.mark.parametrize(
    ("balance", "message"),
    [
        (176_947_199, "176947200 tokens and the account has 176947199; 1 more tokens"),
        (100_000_000, "a duration of 2034 s"),
        (100_000_000, "or a price of 1 per byte and second would work"),
        (0, "has 0; 176947200 more tokens would work"),
    ],
)
def test_a_request_that_cannot_be_paid_is_refused_before_anything_is_done(balance, message) -> None:
    async def told(shop: Shop) -> None:
        shop.world.mint(CLIENT, balance - TOKENS)
        with pytest.raises(InsufficientFunds, match=message):
            await shop.buy()
        assert (requests(shop), shop.purchases.all(), shop.store.roots) == (0, [], {})

    story(told)


def test_who_has_tokens_but_no_coins_for_gas_is_told_so() -> None:
    async def told(shop: Shop) -> None:
        shop.world.gas[CLIENT] = 0
        with pytest.raises(InsufficientFunds, match="no coins of the chain"):
            await shop.buy()

    story(told)


def test_what_is_on_its_way_cannot_be_spent_again() -> None:
    async def told(shop: Shop) -> None:
        shop.world.mint(CLIENT, 200_000_000 - TOKENS)
        shop.client.faults.is_unreachable = False
        shop.client.faults.refuse("request_storage", ChainUnreachable("gone"))
        await shop.buy()
        with pytest.raises(InsufficientFunds):
            await shop.buy()

    story(told)


def test_a_dataset_that_is_protected_already_is_bought_as_it_is() -> None:
    async def told(shop: Shop) -> None:
        with pytest.raises(BadTerms, match=r"2 \+ 1 already.*nodes 3, tolerance 1 works"):
            await shop.buy(replace(BID, nodes=6, tolerance=2))

    story(told)


def test_a_refused_request_is_errored_in_the_words_of_the_contract_and_keeps_nothing() -> None:
    async def told(shop: Shop) -> None:
        problem = Reverted("the contract refuses it", name="Marketplace_InvalidCid")
        shop.client.faults.refuse("request_storage", problem)
        key = await shop.buy()
        await shop.settle()
        assert (shop.purchase(key).at, shop.purchase(key).error) == (
            At.ERRORED,
            "the contract refuses it",
        )
        assert (paid(shop), shop.store.roots) == (0, {})

    story(told)


@pytest.mark.parametrize("problem", [NotMined("late"), Refused("odd"), ChainError("odder")])
def test_an_answer_that_is_lost_does_not_pay_twice_nor_lose_the_request(problem) -> None:
    async def told(shop: Shop) -> None:
        shop.client.faults.lose_answer("request_storage", problem)
        key = await shop.buy()
        await shop.until(key, "submitted")
        assert requests(shop) == 1
        shop.client.faults.lose_answer("withdraw", NotMined("late"))
        await shop.until_ended()
        assert (shop.purchase(key).at, paid(shop)) == (At.CANCELLED, 0)

    story(told)


def test_a_chain_that_is_away_is_waited_for() -> None:
    async def told(shop: Shop) -> None:
        shop.client.faults.is_unreachable = True
        with pytest.raises(ChainUnreachable):
            await shop.buy()
        shop.client.faults.is_unreachable = False
        key = await shop.buy()
        await shop.settle()
        shop.client.faults.is_unreachable = True
        await shop.pass_time(700)
        assert shop.purchase(key).at is At.SUBMITTED
        assert shop.purchases.trouble(shop.purchase(key)) is not None
        shop.client.faults.is_unreachable = False
        await shop.until(key, "cancelled")

    story(told)


def test_the_last_seconds_before_an_end_are_waited_out() -> None:
    """The contract says `after`, and the next block's time is not known exactly."""

    async def told(shop: Shop) -> None:
        key = await shop.buy()
        await shop.settle()
        expires = shop.purchase(key).expires_at
        shop.world.set_time(expires)
        shop.world.mine()
        await shop.settle()
        assert shop.purchase(key).at is At.SUBMITTED
        await asyncio.sleep(5)
        shop.world.mine()
        await shop.settle()
        await shop.until_ended()
        assert (shop.purchase(key).at, paid(shop)) == (At.CANCELLED, 0)

    story(told)


@pytest.mark.parametrize("loses", [False, True])
def test_a_request_in_a_block_that_is_taken_back_is_made_again_once(loses) -> None:
    async def told(shop: Shop) -> None:
        key = await shop.buy()
        await shop.settle()
        shop.world.mine()
        shop.world.reorganise(2, loses_transactions=loses)
        await shop.settle()
        await shop.until(key, "submitted")
        assert requests(shop) == 1
        assert paid(shop) == 3 * 3600 * PRICE_PER_SLOT_AND_SECOND
        await shop.fill(key, 0, 1, 2)
        await shop.until(key, "started")

    story(told)


def test_a_withdrawal_in_a_block_that_is_taken_back_is_made_again() -> None:
    async def told(shop: Shop) -> None:
        key = await shop.buy()
        await shop.until_ended()
        assert paid(shop) == 0
        shop.world.reorganise(2, loses_transactions=True)
        assert paid(shop) > 0
        await shop.settle()
        await shop.until_ended()
        assert (shop.purchase(key).is_withdrawn, paid(shop)) == (True, 0)

    story(told)


def test_requests_that_only_the_chain_knows_are_taken_in() -> None:
    async def told(shop: Shop) -> None:
        key = await shop.buy()
        await shop.settle()
        await shop.stop()
        shop.journal = type(shop.journal)(shop.clock)  # lost
        shop.store.roots.clear()
        shop.client.faults.refuse("my_requests", ChainUnreachable("not yet"))
        await shop.start()
        await shop.pass_time(20)
        found = shop.purchase(key)
        assert found.at is At.SUBMITTED
        assert found.request is not None
        assert list(shop.store.roots) == [key]
        await shop.until_ended()
        assert paid(shop) == 0

    story(told)


def test_histories_outlive_the_withdrawal_and_a_restart() -> None:
    async def told(shop: Shop) -> None:
        key = await shop.buy()
        await shop.until_ended()
        await shop.stop()
        shop.store.roots[key] = RetentionRoot("request", key, None)  # as after a crash just then
        await shop.start()
        await shop.settle()
        assert shop.purchase(key).is_withdrawn
        assert len(await shop.purchases.history(shop.purchase(key))) == 4
        assert shop.store.roots == {}

    story(told)


def test_another_caller_took_the_money_back_already() -> None:
    async def told(shop: Shop) -> None:
        key = await shop.buy()
        await shop.settle()
        await shop.stop()
        await shop.pass_time(700)
        await shop.client.withdraw(bytes.fromhex(key[2:]))
        await shop.start()
        await shop.until_ended()
        assert (shop.purchase(key).at, paid(shop)) == (At.CANCELLED, 0)

    story(told)
