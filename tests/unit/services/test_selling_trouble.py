"""Selling while things go wrong: crashes, lost answers, refusals, rewound chains."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from quire.base.errors import (
    BadManifest,
    BlockMissing,
    NotMined,
    QuireError,
    Reverted,
    UnknownRequest,
)
from quire.chain.terms import Dispersal
from quire.market.sale import At
from quire.services.sale_ports import SaleSettings
from quire.store.journal_memory import MemoryJournal
from support.memory_world import HOST, THIRD
from support.sale_kit import Fair, at_fair


def test_a_host_comes_back_in_every_state_and_goes_on() -> None:
    for at in (
        At.PREPARING,
        At.SLOT_RESERVING,
        At.DOWNLOADING,
        At.INITIAL_PROVING,
        At.FILLING,
        At.FILLED,
        At.PROVING,
        At.PAYOUT,
    ):
        at_fair(partial(_crash_at, at=at), HOST)


async def _crash_at(scene: Fair, at: At) -> None:
    [host] = scene.hosts
    offer = await host.offer()
    had = await host.market.balance()
    seen = asyncio.Event()
    host.events.listen(lambda event: seen.set() if event.kind == f"sale.{at.value}" else None)
    request, _ = await scene.request(slots=1, max_slot_loss=0)
    await seen.wait()
    sales = await host.crash()
    assert host.sale(request) is not None
    host.check()
    done = await host.until(At.FINISHED, request)
    assert done.returned == 102_400, at
    assert await host.market.balance() == had + done.payout, at
    account = sales.offers.ledger.account(offer)
    assert (account.free, account.remaining) == (10_000_000, 10**9)


def test_a_host_that_was_away_when_its_contract_ended_is_paid_when_it_is_back() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        await host.offer()
        request, _ = await scene.request(slots=1, max_slot_loss=0)
        await host.until(At.PROVING, request)
        await host.stop()
        await asyncio.sleep(600)
        host.journal = host.journal.reopened()
        await host.start()
        assert (await host.until(At.FINISHED, request)).returned == 102_400

    at_fair(play, HOST)


def test_a_host_that_lost_its_journal_finds_its_slots_on_the_chain() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        await host.offer()
        request, _ = await scene.request(slots=1, max_slot_loss=0)
        await host.until(At.PROVING, request)
        await host.stop()
        host.journal = MemoryJournal(host.clock)
        await host.start()
        await host.until(At.PROVING, request)
        assert list(host.watcher.watched)
        assert (await host.until(At.FINISHED, request)).returned == 102_400

    at_fair(play, HOST)


def test_failures_before_filling_give_everything_back() -> None:
    problems = {
        "request": UnknownRequest("none"),
        "reserve_slot": Reverted("refused", name="Marketplace_Other"),
        "fill_slot": Reverted("refused", name="Marketplace_Other"),
    }
    for method, problem in problems.items():

        async def play(scene: Fair, method: str = method, problem: QuireError = problem) -> None:
            [host] = scene.hosts
            offer = await host.offer()
            if method == "request":
                host.sales.work.request = _raising(problem)  # type: ignore[method-assign]
            else:
                host.market.faults.refuse(method, problem)
            request, _ = await scene.request(slots=1, max_slot_loss=0)
            await host.until(At.IGNORED if method == "reserve_slot" else At.ERRORED, request)
            account = host.sales.offers.ledger.account(offer)
            assert (account.free, account.remaining) == (10_000_000, 10**9)
            assert not host.keeping.held

        at_fair(play, HOST)


def test_data_that_nobody_serves_does_not_stand_in_the_way_of_other_slots() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        host.workers = 1
        await host.crash()
        await host.offer()
        host.keeping.problems += [BlockMissing("nobody has it")] * 1000
        stuck, _ = await scene.request(slots=1, max_slot_loss=0, price_per_byte_per_second=9)
        await host.until(At.DOWNLOADING, stuck)
        host.keeping.problems = host.keeping.problems[:8]
        other, _ = await scene.request(slots=1, max_slot_loss=0, nonce=2)
        await host.until(At.DOWNLOADING, other)
        assert host.sale(stuck).at is At.DOWNLOADING
        await host.until(At.PROVING, other)
        await host.until(At.PROVING, stuck)

    at_fair(play, HOST)


def test_data_that_is_not_the_requests_ends_the_sale_and_gives_everything_back() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        offer = await host.offer()
        host.keeping.problems.append(BadManifest("another dataset"))
        request, _ = await scene.request(slots=1, max_slot_loss=0)
        sale = await host.until(At.ERRORED, request)
        assert sale.why == "another dataset"
        account = host.sales.offers.ledger.account(offer)
        assert (account.free, account.remaining) == (10_000_000, 10**9)
        assert account.terms.total_collateral == 10**9

    at_fair(play, HOST)


def test_a_first_proof_that_is_refused_is_made_again_in_the_next_period() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        await host.offer()
        host.market.faults.refuse("fill_slot", Reverted("no", name="Proofs_InvalidProof"))
        request, _ = await scene.request(slots=1, max_slot_loss=0)
        sale = await host.until(At.PROVING, request)
        assert sale.attempts == 1
        assert host.proofs.made == 2

    at_fair(play, HOST)


def test_a_fill_whose_answer_was_lost_is_not_paid_twice() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        await host.offer()
        before = await host.market.balance()
        host.market.faults.lose_answer("fill_slot", NotMined("no answer"))
        request, _ = await scene.request(slots=1, max_slot_loss=0)
        await host.until(At.PROVING, request)
        assert await host.market.balance() == before - 102_400

    at_fair(play, HOST)


def test_a_rewound_chain_lets_a_slot_be_filled_again() -> None:
    for loses in (False, True):

        async def play(scene: Fair, loses: bool = loses) -> None:
            [host] = scene.hosts
            await host.offer()
            request, _ = await scene.request(slots=1, max_slot_loss=0)
            await host.until(At.PROVING, request)
            scene.world.reorganise(3, loses_transactions=loses)
            await asyncio.sleep(1)
            sale = await host.until(At.PROVING, request)
            await asyncio.sleep(100)
            assert await host.market.host(sale.slot_id) == HOST
            await host.until(At.FINISHED, request)

        at_fair(play, HOST)


def test_a_chain_that_does_not_answer_is_waited_for() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        await host.offer()
        request, _ = await scene.request(slots=1, max_slot_loss=0)
        await asyncio.sleep(2)
        host.market.faults.is_unreachable = True
        await asyncio.sleep(60)
        host.market.faults.is_unreachable = False
        await host.until(At.PROVING, request)

    at_fair(play, HOST)


def test_a_window_that_opens_later_is_waited_for_to_the_second() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        offer = await host.offer()
        request, rid = await scene.request(slots=1, max_slot_loss=0)
        sale = await host.until(At.PREPARING, request)
        await asyncio.sleep(2)
        opens = await host.market.eligible_from(rid, 0)
        sale = host.sale(request)
        if opens > host.market.clock.now():
            assert sale.look_at == opens
            assert "may reserve the slot from" in sale.why
            assert host.sales.offers.ledger.account(offer).free == 10_000_000
        await host.until(At.PROVING, request)
        reserved = [e for e in host.events.history() if e.kind == "sale.SaleSlotReserving"]
        ahead = host.market.clock.now() - host.clock.now()
        assert opens - 0.5 <= reserved[0].at + ahead <= opens + 1.5

    at_fair(play, HOST, dispersal=Dispersal(h_bps=1000))


def test_a_host_takes_no_more_slots_of_a_request_than_it_is_told() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        host.settings = SaleSettings(slots_of_request=1)
        await host.crash()
        await host.offer()
        request, _ = await scene.request(expiry=250)
        await host.until_any(At.PROVING, request)
        await asyncio.sleep(100)
        assert sum(sale.at is At.PROVING for sale in host.sales_of(request)) == 1

    at_fair(play, HOST)


def test_payouts_go_to_the_recipient_that_is_set_and_collateral_to_the_account() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        host.settings = SaleSettings(reward_recipient=THIRD)
        await host.crash()
        await host.offer()
        before, rich = await host.market.balance(), await host.market.balance(THIRD)
        request, _ = await scene.request(slots=1, max_slot_loss=0)
        sale = await host.until(At.FINISHED, request)
        assert await host.market.balance() == before
        assert await host.market.balance(THIRD) == rich + sale.payout

    at_fair(play, HOST)


def _raising(problem: QuireError) -> Callable[[bytes], Awaitable[Any]]:
    async def request(_: bytes) -> None:
        raise problem

    return request
