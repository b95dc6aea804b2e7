"""Sales against the market in memory: from the queue to the payout, and everything that ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from quire.market.sale import At
from quire.sim.clock import SimClock
from support.machine_kit import in_virtual_time
from support.memory_world import HOST
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
