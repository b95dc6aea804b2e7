"""Brings journal, chain and store of purchases together, at the start and after doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from quire.base.errors import QuireError
from quire.base.events import EventBus
from quire.chain.abi import id_text
from quire.chain.port import Market
from quire.chain.values import RequestId
from quire.market.purchase import (
    At,
    Changed,
    Effect,
    Event,
    Purchase,
    PurchaseMachine,
    Rewound,
)
from quire.services.background import Background
from quire.services.machines import Machines
from quire.services.purchase_effects import PurchaseEffects, content_cid
from quire.store.store import Store

RETRY_SECONDS = 5.0


class PurchaseRecovery:
    """Keeps what the journal says; takes in what only the chain lists: requests whose record was
    lost, withdrawals that were taken back."""

    def __init__(
        self,
        machine: PurchaseMachine,
        machines: Machines[Purchase, Event, Effect],
        effects: PurchaseEffects,
        market: Market,
        store: Store,
        events: EventBus,
    ) -> None:
        self._machine = machine
        self._machines = machines
        self._effects = effects
        self._market = market
        self._store = store
        self._events = events
        self._is_doubtful = asyncio.Event()  # whether the journal has all that the chain lists
        self._task = Background("purchases", self._run, events)

    def start(self) -> None:
        """In the background: the chain may be away."""
        self._is_doubtful.set()
        self._task.start()

    def doubt(self) -> None:
        """Compare again: blocks were taken back."""
        self._is_doubtful.set()

    async def stop(self) -> None:
        await self._task.stop()

    async def _run(self) -> None:
        is_tidy = False
        while True:
            await self._is_doubtful.wait()
            self._is_doubtful.clear()
            try:
                if not is_tidy:
                    await self._tidy()
                    is_tidy = True
                await self._take_in(await self._market.my_requests())
            except QuireError as error:
                if not error.retry:
                    self._events.publish("purchase.unlisted", "", error.message)
                self._is_doubtful.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def _tidy(self) -> None:
        """What is kept is what the journal says."""
        for purchase in self._machines.states().values():
            if self._machine.has_ended(purchase):
                await self._release(purchase)
            else:
                await self._effects.keep(purchase)

    async def _release(self, purchase: Purchase) -> None:
        """A crash between the end of a purchase and its release left the root."""
        cid = content_cid(purchase.request)
        dataset = None if cid is None else await self._store.dataset(cid)
        key = id_text(purchase.request_id)
        if dataset is not None and any(root.name == key for root in dataset.roots):
            await self._effects.release(purchase)

    async def _take_in(self, found: Sequence[RequestId]) -> None:
        for each in found:
            key = id_text(each)
            known = self._machines.state(key)
            if known is None:
                await self._machines.begin(key, Purchase(each, At.UNKNOWN))
            elif self._machine.has_ended(known):
                # The contract lists what was not withdrawn.
                await self._machines.post(key, Rewound() if known.is_withdrawn else Changed())
