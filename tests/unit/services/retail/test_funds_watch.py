"""Tokens that come from elsewhere let uploads go on, and nobody looks without need."""

from __future__ import annotations

import asyncio
from typing import cast

from quire.base.errors import ChainUnreachable
from quire.base.events import EventBus
from quire.chain.hub import Hub
from quire.services.retail.funds_watch import LOOK_SECONDS, FundsWatch
from quire.services.retail.uploads import Uploads
from quire.sim.clock import SimClock
from support.machine_kit import in_virtual_time


class Purse:
    """The hub, as far as it is looked at."""

    def __init__(self) -> None:
        self.inside = self.beside = self.looks = 0
        self.is_away = False

    async def balance(self) -> int:
        self.looks += 1
        if self.is_away:
            raise ChainUnreachable("the chain does not answer")
        return self.inside

    async def tokens(self) -> int:
        return self.beside


class Halted:
    """Uploads that wait for tokens, or not."""

    def __init__(self) -> None:
        self.paused = asyncio.Event()
        self.waits_for_funds = False
        self.told = 0

    def pause(self) -> None:
        self.waits_for_funds = True
        self.paused.set()

    async def funds_came(self) -> None:
        self.told += 1


def test_tokens_that_come_are_told_and_only_while_something_waits_for_them() -> None:
    async def main(clock: SimClock) -> None:
        purse, halted = Purse(), Halted()
        watch = FundsWatch(cast(Hub, purse), cast(Uploads, halted), EventBus(clock))
        watch.start()
        await asyncio.sleep(100 * LOOK_SECONDS)
        assert purse.looks == 0
        purse.inside = 5
        halted.pause()
        await asyncio.sleep(10 * LOOK_SECONDS)
        assert (halted.told, purse.looks > 5) == (0, True)
        for count, grow in enumerate(("inside", "beside"), 1):
            setattr(purse, grow, getattr(purse, grow) + 1)
            await asyncio.sleep(2 * LOOK_SECONDS)
            assert halted.told == count
        purse.inside -= 2  # spent
        await asyncio.sleep(2 * LOOK_SECONDS)
        purse.is_away = True
        await asyncio.sleep(2 * LOOK_SECONDS)
        assert halted.told == 2
        purse.is_away = False
        purse.inside += 1  # more than there was last, if less than before
        await asyncio.sleep(2 * LOOK_SECONDS)
        assert halted.told == 3
        halted.waits_for_funds = False
        await asyncio.sleep(2 * LOOK_SECONDS)
        looks, purse.inside = purse.looks, 100
        await asyncio.sleep(100 * LOOK_SECONDS)
        assert (purse.looks, halted.told) == (looks, 3)
        await watch.stop()

    in_virtual_time(main)
