"""Everything that this host sells: slots are found, taken, held, proved, and paid.

    chain ─► slot market ─► queue ─► at most `workers` on their way ─► held until their end
                 ▲                          │
                 └──── put off, seen ◄──────┘        each is a machine (market.sale_machine)

The chain is read level by level: an event only says which sales to look at again. A slot that the
contract says is ours and that no sale knows (a lost journal, a rewound chain) gets one.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.errors import Busy, NotFound, QuireError
from quire.base.events import Event, EventBus
from quire.base.waits import Waits
from quire.chain.abi import id_text, slot_id
from quire.chain.abi import request_id as request_id_of
from quire.chain.events import (
    MarketEvent,
    RequestCancelled,
    RequestFailed,
    RequestFulfilled,
    SlotEvicted,
    SlotFilled,
    SlotFreed,
)
from quire.chain.port import Batch, Market
from quire.chain.values import SlotId, StorageRequest
from quire.market.sale import (
    BEFORE_FILL,
    HELD,
    Alarm,
    At,
    Changed,
    Deal,
    Sale,
    SaleEffect,
    SaleEvent,
)
from quire.market.sale_machine import SaleMachine
from quire.market.slot_queue import Pace, SlotQueue
from quire.services.background import Background
from quire.services.machines import Machines
from quire.services.market_feed import Feed
from quire.services.offers import Offers, QuotaPort
from quire.services.sale_ports import Keeping, ProofSource, SaleSettings, Watcher
from quire.services.sale_work import SaleWork
from quire.services.slot_market import SlotMarket
from quire.store.journal import Journal, Note, Record

WORKERS = 3  # slots on their way at a time
PROVE_SECONDS = 5.0  # that a first proof is taken to need until one was made
BYTES_PER_SECOND = 100e6  # at most; only what is hopeless is not begun
EXTEND_SECONDS = 3600.0  # between two looks whether data is held for long enough
RETRY_SECONDS = 5.0
LOOK_SECONDS = 15.0  # between two looks at the queue, whatever happens
AT_RISK = "proof.at-risk"  # the kind of event of the proving service


@dataclass(frozen=True, slots=True)
class SalePorts:
    """What selling stands on."""

    market: Market
    journal: Journal
    feed: Feed
    keeping: Keeping
    proofs: ProofSource
    periods: Watcher
    quota: QuotaPort


class Sales:
    """All sales and offers of one node."""

    def __init__(
        self,
        ports: SalePorts,
        *,
        clock: Clock,
        rng: random.Random,
        events: EventBus,
        waits: Waits,
        settings: SaleSettings | None = None,
        workers: int = WORKERS,
    ) -> None:
        market, journal = ports.market, ports.journal
        self._market = market
        self._feed = ports.feed
        self._clock = clock
        self._events = events
        self._workers = workers
        self.offers = Offers(journal, ports.quota, rng, events)
        self.queue = SlotQueue(market.account)
        self._slots = SlotMarket(market, self.queue, self._is_wanted)
        self._periods = ports.periods
        self._keeping = ports.keeping
        self._proofs = ports.proofs
        self.work = SaleWork(
            market,
            self._keeping,
            self._proofs,
            ports.periods,
            self.offers,
            settings or SaleSettings(),
            self.live,
        )
        self._machine = SaleMachine()
        self.machines: Machines[Sale, SaleEvent, SaleEffect] = Machines(
            self._machine,
            journal,
            self.work.perform,
            clock=clock,
            chain=market.clock,
            events=events,
            waits=waits,
            alongside=self._alongside,
        )
        self._inbox: deque[Batch | Sale] = deque()
        self._growths = 0  # of offers
        self._begun: dict[SlotId, int] = {}  # how many there had been when a sale began
        self._wake = asyncio.Event()
        self._tasks = (
            Background("sales", self._run, events),
            Background("hold sold slots", self._extend, events),
        )
        self._alarms: dict[asyncio.Task[None], None] = {}
        self._endings = [self.machines.listen(self._changed)]

    # ---- life ----

    async def start(self) -> None:
        """Go on with every sale, and look for more. Raises StoreCorrupt."""
        await self.offers.load()
        await self.machines.start()
        for sale in self.live():  # before their effects run: nothing was waited for since
            self.offers.restore(sale)
        self.offers.on_growth = self._grown
        self._endings.append(self._feed.listen(self._on_batch))
        self._endings.append(self._events.listen(self._on_event))
        for task in self._tasks:
            task.start()

    async def stop(self) -> None:
        """Stop what is under way; it goes on with the next start."""
        for end in self._endings:
            end()
        self._endings = []
        for task in self._tasks:
            await task.stop()
        for alarm in list(self._alarms):
            alarm.cancel()
        await self.machines.stop()

    # ---- what there is ----

    def live(self) -> list[Sale]:
        """Sales that have not ended, oldest first."""
        return [sale for sale in self.machines.states().values() if not sale.has_ended]

    def all(self) -> list[Sale]:
        """Those that have ended too, as long as they are remembered; oldest first."""
        return list(self.machines.states().values())

    def find(self, slot: SlotId) -> Sale:
        """Raises NotFound."""
        sale = self.machines.state(id_text(slot))
        if sale is None:
            raise NotFound("Provider not filling slot")
        return sale

    async def history(self, slot: SlotId) -> list[Note]:
        return await self.machines.history(id_text(slot))

    def words(self, sale: Sale) -> str:
        return self._machine.words(sale)

    def next_deadline(self, sale: Sale) -> tuple[str, float] | None:
        """What is waited for, and unix seconds of the chain or of this machine; None at the end."""
        return self.machines.next_deadline(id_text(sale.slot_id))

    def trouble(self, sale: Sale) -> QuireError | None:
        """Why something is being tried again."""
        return self.machines.trouble(id_text(sale.slot_id))

    def proving(self, sale: Sale) -> dict[str, object] | None:
        """How its periods are proved; None while they are not."""
        try:
            return self._periods.state(sale.slot_id)
        except NotFound:
            return None

    async def held(self) -> list[tuple[StorageRequest, int, SlotId]]:
        """The slots that the contract says this account fills: request, index, id."""
        found = []
        for each in await self._market.my_slots():
            request, index = await self._market.active_slot(each)
            found.append((request, index, each))
        return found

    # ---- the chain moves ----

    async def _on_batch(self, batch: Batch) -> None:
        self._inbox.append(batch)
        self._wake.set()

    def _on_event(self, event: Event) -> None:
        if event.kind == AT_RISK and self.machines.state(event.subject) is not None:
            task = asyncio.get_running_loop().create_task(
                self._post(event.subject, Alarm(event.message)), name="alarm of a sale"
            )
            self._alarms[task] = None
            task.add_done_callback(self._alarms.pop)

    async def _run(self) -> None:
        """One thing after the other: batches, slots that were put off, new sales."""
        await self._insist(self._adopt)
        await self._insist(self._slots.back_fill)
        while True:
            self._wake.clear()
            while self._inbox:
                await self._insist(self._digest)
                self._inbox.popleft()
            await self._begin_sales()
            if self._inbox:
                continue
            try:
                async with asyncio.timeout(self._pause()):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _pause(self) -> float:
        """Seconds until a slot that was put off is due, or sales are to be counted again."""
        due = self.queue.next_at()
        left = LOOK_SECONDS if due is None else due - self._market.clock.now()
        return min(LOOK_SECONDS, max(0.1, left))

    async def _insist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it until the chain answers."""
        while True:
            try:
                return await work()
            except QuireError as error:
                self._events.publish("sale.not-heard", "", error.message)
            await asyncio.sleep(RETRY_SECONDS)

    async def _digest(self) -> None:
        """The oldest thing of the inbox; may be done twice."""
        item = self._inbox[0]
        if isinstance(item, Sale):
            await self._slots.offer(
                item.request_id,
                [item.slot_index],
                is_seen=not item.look_at,
                not_before=item.look_at,
            )
            if not item.offer and self._begun.get(item.slot_id) != self._growths:
                self.queue.wake()  # what it found no room in may have grown since it looked
            return
        if item.is_rewound:
            await self._adopt()
        for event in item.events:
            await self._slots.hear(event)
        for sale in self.live():
            if item.is_rewound or any(_concerns(event, sale) for event in item.events):
                await self._post(id_text(sale.slot_id), Changed(item.is_rewound))

    def _is_wanted(self, slot: SlotId) -> bool:
        """Not what this host lost itself: what it could not prove it does not buy again."""
        sale = self.machines.state(id_text(slot))
        return sale is None or not (sale.is_staked and sale.at in (*HELD, At.ERRORED))

    async def _adopt(self) -> None:
        """Begin a sale for each slot that is ours by the contract, and that no sale looks after."""
        for each in await self._market.my_slots():
            sale = self.machines.state(id_text(each))
            if sale is not None and not sale.has_ended:
                continue
            request, index = await self._market.active_slot(each)
            request_id = request_id_of(request)
            expiry = await self._market.request_expiry(request_id)
            end = await self._market.request_end(request_id)
            deal = Deal.of(request, expiry, end)
            found = Sale(request_id, index, each, At.UNKNOWN, deal=deal, is_staked=True)
            await self.machines.begin(id_text(each), found)

    async def _post(self, key: str, event: SaleEvent) -> None:
        with suppress(NotFound, Busy):  # forgotten meanwhile, or the node stops
            await self.machines.post(key, event)

    # ---- new sales ----

    async def _begin_sales(self) -> None:
        while self._working() < self._workers:
            chance = self.queue.pop(self._market.clock.now(), self._pace())
            if chance is None:
                return
            identity = slot_id(*chance.key)
            sale = Sale(chance.request_id, chance.slot_index, identity)
            self._begun[identity] = self._growths
            try:
                await self.machines.begin(id_text(identity), sale)
            except QuireError as error:  # the disk is full: the slot is looked at again later
                at = int(self._market.clock.now()) + self._market.terms.period
                self.queue.push(chance.put_off(False, at))
                self._events.publish("sale.not-begun", id_text(identity), error.message)

    def _working(self) -> int:
        """Sales on their way. Those that wait for their window do not count, nor do those that have
        failed once: data that nobody serves must not stand in the way of other slots."""
        return sum(
            sale.at in BEFORE_FILL
            and not (sale.at is At.PREPARING and sale.look_at)
            and self.trouble(sale) is None
            for sale in self.live()
        )

    def _pace(self) -> Pace:
        seconds = self._proofs.seconds
        return Pace(
            BYTES_PER_SECOND,
            PROVE_SECONDS if seconds is None else seconds,
            self._market.terms.period,
        )

    def _grown(self) -> None:
        self._growths += 1
        self.queue.wake()
        self._wake.set()

    # ---- sales change ----

    def _alongside(self, _key: str, _before: Sale | None, sale: Sale) -> Sequence[Record]:
        return self.offers.records(sale)

    def _changed(self, _key: str, before: Sale | None, sale: Sale) -> None:
        """A sale is in another state, durably."""
        if sale.has_ended:
            self.offers.end(sale.slot_id, sale.lost)
            if sale.at is At.IGNORED and sale.is_again:
                self._inbox.append(sale)
            else:
                self._begun.pop(sale.slot_id, None)
        elif sale.at is At.PREPARING:  # it waits for its window, with nothing put aside
            self.offers.end(sale.slot_id)
        self._wake.set()

    async def _extend(self) -> None:
        """Hold the data of slots longer where the chain is slower than this node's clock."""
        while True:
            await asyncio.sleep(EXTEND_SECONDS)
            for sale in self.live():
                if sale.at in (At.FILLED, At.PROVING):
                    with suppress(QuireError):  # the proving service tells when data is gone
                        await self._keeping.extend(sale)


def _concerns(event: MarketEvent, sale: Sale) -> bool:
    """Whether a sale is to be looked at again because of an event."""
    if isinstance(event, SlotFilled | SlotFreed | SlotEvicted):
        return (event.request_id, event.slot_index) == (sale.request_id, sale.slot_index)
    if isinstance(event, RequestFulfilled | RequestFailed | RequestCancelled):
        return event.request_id == sale.request_id
    return False
