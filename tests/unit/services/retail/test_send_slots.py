"""Few links send at once: to one provider and in all, in the order of asking."""

from __future__ import annotations

import asyncio

from quire.services.retail.send_slots import SendSlots
from quire.sim.clock import SimClock
from support.machine_kit import in_virtual_time


def test_links_wait_for_their_provider_and_let_others_pass() -> None:
    async def main(_: SimClock) -> None:
        slots = SendSlots(per_peer=1, total=2)
        await slots.take("a1", "A")
        await slots.take("a1", "A")  # its own already
        waiting = asyncio.create_task(slots.take("a2", "A"))
        await asyncio.sleep(1)
        await slots.take("b1", "B")
        third = asyncio.create_task(slots.take("c1", "C"))
        await asyncio.sleep(1)
        assert not waiting.done()
        assert not third.done()
        slots.give("b1")
        await third
        slots.give("a1")
        await waiting
        assert (slots.held, slots.held_by("A"), slots.held_by("B")) == (2, 1, 0)

    in_virtual_time(main)


def test_a_link_that_gives_up_waiting_takes_nothing() -> None:
    async def main(_: SimClock) -> None:
        slots = SendSlots(per_peer=1, total=1)
        await slots.take("a1", "A")
        gone = asyncio.create_task(slots.take("b1", "B"))
        let_in = asyncio.create_task(slots.take("c1", "C"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        slots.give("a1")
        let_in.cancel()  # in the moment in which it is let in
        await asyncio.wait([let_in])
        assert slots.held == 0
        slots.give("nobody")

    in_virtual_time(main)
