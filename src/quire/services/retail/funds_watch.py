"""Looks whether the account has more tokens than when uploads came to a halt for want of them.

They may have come from anywhere: a wallet, another program. What is deposited through this node
needs no look.
"""

from __future__ import annotations

import asyncio

from quire.base.errors import ChainError
from quire.base.events import EventBus
from quire.chain.hub import Hub
from quire.services.background import Background
from quire.services.retail.uploads import Uploads

LOOK_SECONDS = 15.0  # while something waits


class FundsWatch:
    """Of one account. Nothing is read from the chain while no upload waits for tokens."""

    def __init__(self, hub: Hub, uploads: Uploads, events: EventBus) -> None:
        self._hub = hub
        self._uploads = uploads
        self._task = Background("funds", self._run, events)

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    async def _run(self) -> None:
        least: int | None = None  # what was not enough
        while True:
            if not self._uploads.waits_for_funds:
                least = None
                self._uploads.paused.clear()
                await self._uploads.paused.wait()
            money = await self._money()
            if money is not None:
                if least is not None and money > least:
                    await self._uploads.funds_came()
                least = money
            await asyncio.sleep(LOOK_SECONDS)

    async def _money(self) -> int | None:
        """In the hub and beside it; None while the chain is away."""
        try:
            return sum(await asyncio.gather(self._hub.balance(), self._hub.tokens()))
        except ChainError:
            return None
