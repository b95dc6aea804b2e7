"""Every order of this node, from the money set aside to the last word, through restarts.

    begin ─► fund ─► ask ─► await ─► check ─► pay ─► [watch ─► pay] ─► tell
             └── common to all services ──┘ └── Handler ──┘

Read next: quire.aggregation.order_machine, quire.services.ordering.ports
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from quire.aggregation.order import ENDS, At, Cancel, Order, OrderEffect, OrderEvent
from quire.aggregation.order_machine import OrderMachine
from quire.base.errors import Busy, NotFound, QuireError
from quire.chain.values import Address
from quire.formats.aggregator_answers import Progress
from quire.formats.aggregator_codes import Service
from quire.services.machines import Listener, Machines
from quire.services.ordering.asking import AskingOrders
from quire.services.ordering.order_work import OrderWork
from quire.services.ordering.ports import Handler, OrderPorts, Promises
from quire.store.journal import Note

_CHECKED = (At.PAYING, At.SERVING, At.SETTLING, *ENDS)


class Orders:
    """Handlers are given before `start`, one for each service that this node orders."""

    def __init__(self, ports: OrderPorts) -> None:
        self._ports = ports
        self._machine = OrderMachine()
        self._handlers: dict[Service, Handler] = {}
        self._promises: dict[Service, Promises] = {}
        self._progress: dict[str, Progress] = {}
        self._waiting: dict[asyncio.Future[None], str] = {}
        asking = AskingOrders(ports.client, ports.clock, ports.chain, self._told)
        self._machines: Machines[Order, OrderEvent, OrderEffect] = Machines(
            self._machine,
            ports.journal,
            OrderWork(ports, asking, self._handlers, self._promises, self._owing).perform,
            clock=ports.clock,
            chain=ports.chain,
            events=ports.events,
            waits=ports.waits,
            place=ports.place,
        )
        self._machines.listen(self._changed)

    def handle(self, service: Service, handler: Handler, promises: Promises | None = None) -> None:
        """Orders of this service are this handler's; `promises` where bonds stand behind it."""
        self._handlers[service] = handler
        if promises is not None:
            self._promises[service] = promises

    async def start(self) -> None:
        """Go on with every order. Raises StoreCorrupt."""
        await self._machines.start()

    async def stop(self) -> None:
        """Orders stay as they are, for the next start."""
        await self._machines.stop()
        for waiting in list(self._waiting):
            waiting.cancel()

    # ---- what customers do ----

    async def begin(self, order: Order) -> None:
        """It is in the journal when this returns. Raises DiskFull, Busy."""
        if not await self._machines.begin(order.key, order):
            raise Busy(f"the order {order.key} is under way already")

    async def cancel(self, key: str) -> Order:
        """Not wanted any more. What is checked already is paid. Raises NotFound, DiskFull."""
        return await self._machines.post(key, Cancel())

    async def until_end(self, key: str) -> Order:
        """The order as it ended. Raises NotFound."""
        return await self._until(key, lambda order: order.at in ENDS)

    async def until_taken(self, key: str) -> Order:
        """The order as soon as the aggregator has taken it, or as it ended. Raises NotFound."""
        return await self._until(key, lambda order: order.at not in (At.FUNDING, At.ASKING))

    async def until_checked(self, key: str) -> Order:
        """The order as soon as its result is good, paid or not, or as it ended. Raises NotFound."""
        return await self._until(key, lambda order: order.at in _CHECKED)

    # ---- looking ----

    def get(self, key: str) -> Order:
        """Raises NotFound."""
        order = self._machines.state(key)
        if order is None:
            raise NotFound(f"there is no order {key[:80]}, or it was forgotten")
        return order

    def all(self) -> list[Order]:
        """Every order that is remembered, oldest first."""
        return list(self._machines.states().values())

    def words(self, order: Order) -> str:
        """What is going on, for people."""
        progress = self._progress.get(order.key)
        if order.at is At.WAITING and progress is not None:
            return f"{progress.words or 'the aggregator works on it'} ({progress.permille / 10} %)"
        words = self._machine.words(order)
        return f"{words}: {check}" if (check := self._checking(order)) else words

    def progress(self, key: str) -> Progress | None:
        """What the aggregator said last, since this start."""
        return self._progress.get(key)

    def next_deadline(self, key: str) -> tuple[str, float] | None:
        """What is waited for, and unix seconds of the chain or of this machine; None at the end."""
        return self._machines.next_deadline(key)

    def trouble(self, key: str) -> QuireError | None:
        """Why something is being tried again."""
        return self._machines.trouble(key)

    async def history(self, key: str) -> list[Note]:
        return await self._machines.history(key)

    def listen(self, listener: Listener[Order]) -> Callable[[], None]:
        """Call `listener(key, before, now)` after each change; returns what ends it."""
        return self._machines.listen(listener)

    def _owing(self, payee: Address) -> int:
        return sum(
            order.offer.offer.price - order.cost
            for order in self._machines.states().values()
            if order.at not in ENDS and order.offer.offer.payee == payee
        )

    def _checking(self, order: Order) -> str:
        """What was said last of a check that is under way."""
        if order.at is not At.CHECKING:
            return ""
        history = self._ports.events.history(order.key)
        return next((e.message for e in reversed(history) if e.kind == "order.check"), "")

    # ---- hearing ----

    async def _until(self, key: str, is_reached: Callable[[Order], bool]) -> Order:
        while not is_reached(order := self.get(key)):
            changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting[changed] = key
            try:
                await changed
            finally:
                self._waiting.pop(changed, None)
        return order

    def _changed(self, key: str, before: Order | None, now: Order) -> None:
        if now.at in ENDS:
            self._progress.pop(key, None)
        if before is None or before.at is not now.at:
            words = f"order {key} at {now.peer}: {self._machine.words(now)}"
            self._ports.events.publish("order.of", now.subject, words, order=key, at=now.at.value)
        for waiting, wanted in list(self._waiting.items()):
            if wanted == key and not waiting.done():
                waiting.set_result(None)

    def _told(self, order: Order, progress: Progress) -> None:
        if self._progress.get(order.key) != progress:
            self._progress[order.key] = progress
            said = f"{order.peer}: {progress.words or 'at work'}, {progress.permille / 10} %"
            self._ports.events.publish("order.progress", order.key, said)
