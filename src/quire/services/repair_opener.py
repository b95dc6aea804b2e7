"""Opens freed slots for repair once they have waited long enough, if nobody else does.

    SlotEvicted ─► noted ─► the delay is over ─► this node's turn ─► still in repair? ─► opened
                     └───────── SlotFreed, RequestFailed: nothing is left to do ◄───────┘

A try that comes too early or too late is refused before anything is paid. Whatever came of one,
the next look is some time later, until the chain tells that the slots are open.

Read next: quire.market.repair_turn
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from math import inf

from quire.base.errors import NotFound, QuireError, Reverted
from quire.base.events import EventBus
from quire.base.units import format_duration
from quire.chain.abi import id_text, parse_id, slot_id
from quire.chain.events import MarketEvent
from quire.chain.port import Batch, Head, Market
from quire.chain.values import RequestId, SlotState
from quire.market.block_pace import BlockPace
from quire.market.repair_turn import Plan, Waiting, look_seconds, turn_seconds
from quire.services.background import Background
from quire.services.market_feed import Feed
from quire.services.read_place import ReadPlace
from quire.store.journal import Journal, Record

WAITING = "repair-waiting"
PLACE = "repair-opener"
RETRY_SECONDS_FIRST = 0.5
RETRY_SECONDS_MAX = 30.0
LOOK_SECONDS_MIN, LOOK_SECONDS_MAX = 0.05, 60.0


class RepairOpener:
    """Of one node at one market that opens freed slots late."""

    def __init__(self, market: Market, feed: Feed, journal: Journal, events: EventBus) -> None:
        self._market = market
        self._feed = feed
        self._journal = journal
        self._events = events
        self.opened = 0  # transactions since the start
        self._waiting = Waiting()
        self._place = ReadPlace(journal, PLACE)
        self._is_filled = False
        self._pace = BlockPace(market.terms)
        self._head: Head | None = None
        self._unread: list[tuple[Sequence[MarketEvent], int]] = []  # with the earliest time
        self._placed_period = -1
        self._plans: dict[RequestId, Plan] = {}
        self._wake = asyncio.Event()
        self._task = Background("repair-opener", self._run, events)
        self._unlisten: Callable[[], None] | None = None

    # ---- life ----

    async def start(self) -> None:
        """Raises StoreCorrupt, BadEncoding."""
        for key, time in (await self._journal.read(WAITING)).items():
            self._waiting.lost_at[parse_id(key)] = int.from_bytes(time, "big")
        await self._place.load()
        self._unlisten = self._feed.listen(self._on_batch)
        self._task.start()

    async def stop(self) -> None:
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None
        await self._task.stop()

    @property
    def waiting(self) -> list[RequestId]:
        """Requests with freed slots that are not open yet."""
        return list(self._waiting.lost_at)

    # ---- the chain moves ----

    async def _on_batch(self, batch: Batch) -> None:
        previous, self._head = self._head, batch.head
        self._pace.note(batch.head)
        if batch.is_rewound:
            self._is_filled = False  # what was told may not have happened
        if batch.events:
            is_next = previous is not None and batch.head.number == previous.number + 1
            earliest = batch.head.timestamp if is_next else previous.timestamp if previous else 0
            self._unread.append((batch.events, 0 if batch.is_rewound else earliest))
        self._wake.set()

    async def _run(self) -> None:
        pause = RETRY_SECONDS_FIRST
        while True:
            self._wake.clear()
            try:
                wait = await self._step()
                pause = RETRY_SECONDS_FIRST
            except QuireError as error:
                told = f"freed slots could not be looked at: {error.message}"
                self._events.publish("repair.failed", "", told)
                wait, pause = pause, min(2 * pause, RETRY_SECONDS_MAX)
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _step(self) -> float:
        """Seconds until the next look, if nothing is heard before."""
        head = self._head
        if head is None or not await self._read(head):
            return LOOK_SECONDS_MAX
        for request_id in self.waiting:
            if self._turn(request_id) <= self._market.clock.now():
                await self._open(request_id)
        turns = [self._turn(request_id) for request_id in self.waiting]
        left = min(turns, default=inf) - self._market.clock.now()
        return min(LOOK_SECONDS_MAX, max(LOOK_SECONDS_MIN, left))

    async def _read(self, head: Head) -> bool:
        """Take in what happened; whether everything before this start is known."""
        if not self._is_filled:
            events = await self._place.missed(self._market, head, self._pace)
            if events is None:
                return False
            self._is_filled = True
            await self._note(events, 0, head)
        unread, self._unread = self._unread, []
        for told, earliest in unread:
            await self._note(told, earliest, head)
        period = self._market.terms.period_of(head.timestamp)
        if period != self._placed_period:
            await self._place.set(head)
            self._placed_period = period
        return True

    async def _note(self, events: Sequence[MarketEvent], earliest: int, head: Head) -> None:
        for request_id in self._waiting.note(events, earliest):
            lost_at = self._waiting.lost_at.get(request_id)
            await self._write(request_id, lost_at)
            if lost_at is None:
                self._plans.pop(request_id, None)
                continue
            self._plans[request_id] = Plan(head.timestamp)
            delay = format_duration(self._market.terms.lazy_repair.max_delay)
            self._tell(request_id, "waiting", f"a slot was lost; it opens after {delay} or earlier")

    async def _write(self, request_id: RequestId, lost_at: int | None) -> None:
        value = None if lost_at is None else lost_at.to_bytes(8, "big")
        await self._journal.write([Record(WAITING, id_text(request_id), value)])

    # ---- opening ----

    def _turn(self, request_id: RequestId) -> float:
        """Chain time at which this node tries."""
        market = self._market
        due = self._waiting.lost_at[request_id] + market.terms.lazy_repair.max_delay
        plan = self._plan(request_id)
        due = max(due, plan.not_before)
        return due + turn_seconds(market.account, request_id, due, market.terms, self._pace.seconds)

    def _plan(self, request_id: RequestId) -> Plan:
        """One from the journal begins with the first head that is seen."""
        assert self._head is not None
        return self._plans.setdefault(request_id, Plan(self._head.timestamp))

    async def _open(self, request_id: RequestId) -> None:
        market, plan = self._market, self._plan(request_id)
        if not await self._is_in_repair(request_id):
            del self._waiting.lost_at[request_id]
            self._plans.pop(request_id, None)
            await self._write(request_id, None)
            return
        now = int(market.clock.now())
        plan.not_before = now + look_seconds(market.terms, self._pace.seconds, plan.tries)
        plan.tries += 1
        try:
            await market.open_repair(request_id)
        except Reverted as refusal:
            told = f"its freed slots were not to be opened by this node: {refusal.message}"
            self._tell(request_id, "not-due", told)
        else:
            self.opened += 1
            self._tell(request_id, "opened", "its freed slots have waited long enough: opened")

    async def _is_in_repair(self, request_id: RequestId) -> bool:
        try:
            request = await self._market.request(request_id)
        except NotFound:  # it never was, or is of another contract
            return False
        slots = [slot_id(request_id, index) for index in range(request.ask.slots)]
        return SlotState.REPAIR in await self._market.slot_states(slots)

    def _tell(self, request_id: RequestId, what: str, message: str) -> None:
        self._events.publish(f"repair.{what}", id_text(request_id), message)
