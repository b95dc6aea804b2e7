"""Sales against the market in memory: from the queue to the payout, and everything that ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

from quire.base.errors import BadManifest, NotMined, QuireError, Reverted, UnknownRequest
from quire.chain.terms import Dispersal, Extensions
from quire.market.availability import Change
from quire.market.sale import At
from quire.services.sale_work import SaleSettings
from quire.sim.clock import SimClock
from quire.store.journal_memory import MemoryJournal
from support.machine_kit import in_virtual_time
from support.memory_world import HOST, OTHER, THIRD
from support.sale_kit import Fair, fair


def at_fair(play: Callable[[Fair], Awaitable[None]], *accounts: bytes, **terms: int) -> None:
    """Play a scene; every ledger adds up at its end."""

    async def main(clock: SimClock) -> None:
        scene, mining = fair(clock, *accounts, **terms)
        for host in scene.hosts:
            await host.start()
        try:
            await play(scene)
            for host in scene.hosts:
                host.check()
        finally:
            for host in scene.hosts:
                await host.stop()
            mining.cancel()
            with suppress(asyncio.CancelledError):
                await mining

    in_virtual_time(main)


def test_a_slot_goes_from_the_queue_to_its_payout() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        offer = await host.offer()
        request, _ = await scene.request(slots=1, max_slot_loss=0)
        sale = await host.until(At.PROVING, request)
        account = host.sales.offers.ledger.account(offer)
        assert account.free == 10_000_000 - 1024
        assert account.remaining == 10**9 - 102_400
        assert host.watcher.watched == {sale.slot_id: sale.deal.end}
        before = await host.market.balance()
        sale = await host.until(At.FINISHED, request)
        assert sale.returned == 102_400
        assert await host.market.balance() == before + sale.payout + sale.returned
        assert (account.free, account.remaining) == (10_000_000, 10**9)
        assert not host.watcher.watched
        assert not host.keeping.held

    at_fair(play, HOST)


def test_a_request_that_is_not_filled_in_time_is_cancelled_and_pays_for_the_time_held() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        offer = await host.offer(total_size=2048)  # room for two of three
        request, _ = await scene.request()
        before = await host.market.balance()
        await host.settled(request)
        states = [(sale.at, sale.returned) for sale in host.sales_of(request)]
        assert sorted(states) == [
            (At.CANCELLED, 102_400),
            (At.CANCELLED, 102_400),
            (At.IGNORED, 0),
        ]
        paid = sum(sale.payout for sale in host.sales_of(request))
        assert 0 < paid < 2 * 200 * 1024
        assert await host.market.balance() == before + paid
        assert host.sales.offers.ledger.account(offer).remaining == 10**9

    at_fair(play, HOST)


def test_a_request_that_fails_gives_back_the_collateral_of_hosts_that_held_on() -> None:
    async def play(scene: Fair) -> None:
        one, other = scene.hosts
        offer = await one.offer(total_size=1024)
        request, _ = await scene.request(slots=2, max_slot_loss=0)
        await one.until_any(At.PROVING, request)
        await other.offer()
        lost = await other.until_any(At.PROVING, request)
        await other.market.free_slot(lost.slot_id)  # it gives up: nothing may be lost
        kept = await one.until_any(At.ERRORED, request)
        assert (kept.payout, kept.returned, kept.lost) == (0, 102_400, 0)
        assert "failed" in kept.why
        assert one.sales.offers.ledger.account(offer).remaining == 10**9
        gone = await other.until_any(At.ERRORED, request)
        assert gone.lost == 102_400

    at_fair(play, HOST, OTHER)


def test_what_a_host_loses_by_eviction_is_written_off_its_offer_for_good() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        offer = await host.offer()
        request, _ = await scene.request()
        sale = await host.until(At.PROVING, request, 1)
        await host.until(At.PROVING, request, 0)
        await host.until(At.PROVING, request, 2)
        await host.market.free_slot(sale.slot_id)
        sale = await host.until(At.ERRORED, request, 1)
        assert sale.lost == 102_400
        account = host.sales.offers.ledger.account(offer)
        assert account.terms.total_collateral == 10**9 - 102_400
        assert sale.slot_id not in host.keeping.held
        await host.crash()
        account = host.sales.offers.ledger.account(offer)
        assert account.terms.total_collateral == 10**9 - 102_400
        assert account.remaining == 10**9 - 3 * 102_400
        await asyncio.sleep(120)
        assert host.sale(request, 1).at is At.ERRORED  # it does not buy back what it lost

    at_fair(play, HOST)


def test_another_host_repairs_a_slot_that_was_lost_for_less_collateral() -> None:
    async def play(scene: Fair) -> None:
        one, other = scene.hosts
        await one.offer()
        request, _ = await scene.request(slots=2, max_slot_loss=1)
        lost = await one.until(At.PROVING, request, 1)
        await one.until(At.PROVING, request, 0)
        await other.offer()
        before = await other.market.balance()
        await one.market.free_slot(lost.slot_id)
        repaired = await other.until(At.PROVING, request, 1)
        assert other.keeping.rebuilt == [lost.slot_id]
        assert repaired.deal.is_repair
        assert await other.market.balance() == before - 102_400 * 9 // 10
        done = await other.until(At.FINISHED, request, 1)
        assert done.returned == 102_400
        assert await other.market.balance() == before + done.payout + 10_240

    at_fair(play, HOST, OTHER, extensions=Extensions(31))


def test_of_two_hosts_one_gets_a_slot_and_the_other_drops_what_it_has() -> None:
    async def play(scene: Fair) -> None:
        one, other = scene.hosts
        other.keeping.seconds = 40.0
        offers = [await host.offer() for host in scene.hosts]
        request, _ = await scene.request(slots=1, max_slot_loss=0)
        await one.until(At.PROVING, request)
        late = await other.until(At.IGNORED, request)
        assert "another host" in late.why
        assert not other.keeping.held
        assert other.sales.offers.ledger.account(offers[1]).free == 10_000_000

    at_fair(play, HOST, OTHER)


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
    seen = asyncio.Event()
    host.events.listen(lambda event: seen.set() if event.kind == f"sale.{at.value}" else None)
    request, _ = await scene.request(slots=1, max_slot_loss=0)
    await seen.wait()
    sales = await host.crash()
    assert host.sale(request) is not None
    host.check()
    done = await host.until(At.FINISHED, request)
    assert done.returned == 102_400, at
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


def test_slots_that_were_for_sale_before_the_start_are_found() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        await host.stop()
        request, _ = await scene.request(slots=1, max_slot_loss=0)
        await asyncio.sleep(30)
        await host.start()
        await host.offer()
        await host.until(At.PROVING, request)

    at_fair(play, HOST)


def test_a_slot_for_which_there_was_no_room_is_taken_when_an_offer_grows() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        offer = await host.offer(total_size=100)
        request, _ = await scene.request(slots=1, max_slot_loss=0)
        ignored = await host.until(At.IGNORED, request)
        assert "1024 bytes, 100 are free" in ignored.why
        await asyncio.sleep(60)
        assert host.sale(request).at is At.IGNORED
        await host.sales.offers.change(offer, Change(total_size=5000))
        await host.until(At.PROVING, request)

    at_fair(play, HOST)


def test_a_host_without_tokens_or_gas_waits_and_says_so() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        await host.offer()
        has = scene.world.state.tokens.pop(HOST)
        request, _ = await scene.request(slots=1, max_slot_loss=0, expiry=350)
        ignored = await host.until(At.IGNORED, request)
        assert "0 tokens; 102400 are needed" in ignored.why
        scene.world.gas[HOST] = 0
        scene.world.mint(HOST, has, 0)
        await asyncio.sleep(61)
        ignored = await host.until(At.IGNORED, request)
        assert "nothing to pay transactions with" in ignored.why
        scene.world.mint(HOST, 0)
        await host.until(At.PROVING, request)

    at_fair(play, HOST)


def test_a_host_out_of_gas_at_the_end_is_paid_when_it_has_some() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        await host.offer()
        request, _ = await scene.request(slots=1, max_slot_loss=0)
        await host.until(At.PROVING, request)
        scene.world.gas[HOST] = 0
        sale = await host.until(At.PAYOUT, request)
        await asyncio.sleep(200)
        sale = host.sale(request)
        assert sale.at is At.PAYOUT
        assert "tried again" in sale.why
        scene.world.mint(HOST, 0)
        await host.until(At.FINISHED, request)

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
        host.sales.work._settings = SaleSettings(slots_of_request=1)
        await host.offer()
        request, _ = await scene.request(expiry=250)
        await host.until_any(At.PROVING, request)
        await asyncio.sleep(100)
        assert sum(sale.at is At.PROVING for sale in host.sales_of(request)) == 1

    at_fair(play, HOST)


def test_payouts_go_to_the_recipient_that_is_set_and_collateral_to_the_account() -> None:
    async def play(scene: Fair) -> None:
        [host] = scene.hosts
        host.sales.work._settings = SaleSettings(reward_recipient=THIRD)
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
