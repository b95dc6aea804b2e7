"""Sales against the market in memory: from the queue to the payout, and everything that ends it."""

from __future__ import annotations

import asyncio

from quire.chain.terms import Extensions
from quire.market.availability import Change
from quire.market.sale import At
from support.memory_world import HOST, OTHER, THIRD
from support.sale_kit import Fair, at_fair


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


def test_hosts_with_room_for_one_slot_each_fill_a_request_whoever_is_first_where() -> None:
    async def play(scene: Fair) -> None:
        for host in scene.hosts:
            await host.offer(total_size=1024)
        for nonce in range(1, 5):  # in some of these they want the same slot at first
            request, _ = await scene.request(nonce=nonce, slots=3)
            sold = [await host.until_any(At.PROVING, request) for host in scene.hosts]
            assert sorted(sale.slot_index for sale in sold) == [0, 1, 2]
            for host in scene.hosts:
                await host.until_any(At.FINISHED, request)

    at_fair(play, HOST, OTHER, THIRD)


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
