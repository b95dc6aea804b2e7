"""Follows the market of the demo block by block: slots, periods, proofs, balances."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from quire.base.errors import DeadlineExceeded, QuireError
from quire.chain.events import (
    MarketEvent,
    ProofSubmitted,
    RequestFulfilled,
    SlotFilled,
    SlotReserved,
)
from quire.chain.port import Batch, Head, Market
from quire.chain.values import Address, SlotId, SlotState


@dataclass(slots=True)
class SlotLine:
    """One slot, as of the newest block."""

    index: int
    slot_id: SlotId
    state: SlotState = SlotState.FREE
    host: Address | None = None
    collateral: int = 0
    missed: int = 0
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Proved:
    """A proof that is in a block; `after` seconds of its period had passed."""

    slot: int
    period: int
    after: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """A proof that the contract asked for and did not get in its period."""

    slot: int
    period: int
    host: Address | None


@dataclass(slots=True)
class MarketWatch:
    """What one request has come to. `told` is set by every block."""

    market: Market
    accounts: list[Address]
    slots: list[SlotLine] = field(default_factory=list)
    reserved: set[int] = field(default_factory=set)
    filled_at: dict[int, int] = field(default_factory=dict)  # slot -> chain's seconds
    is_started: bool = False
    proofs: list[Proved] = field(default_factory=list)
    overdue: dict[tuple[int, int], Overdue] = field(default_factory=dict)
    balances: dict[Address, int] = field(default_factory=dict)
    head: Head | None = None
    on_block: Callable[[], None] = lambda: None
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _failed: QuireError | None = None

    @property
    def now(self) -> int:
        return self.head.timestamp if self.head else 0

    @property
    def period(self) -> int:
        return self.market.terms.period_of(self.now)

    def watch(self, slot_ids: list[SlotId]) -> None:
        """From the next block on these slots are followed."""
        self.slots = [SlotLine(index, slot_id) for index, slot_id in enumerate(slot_ids)]

    async def run(self) -> None:
        """Until cancelled."""
        try:
            async for batch in self.market.follow(None):
                await self._take(batch)
                async with self._changed:
                    self._changed.notify_all()
                self.on_block()
        except QuireError as error:
            self._failed = error
            async with self._changed:
                self._changed.notify_all()

    async def until(self, is_so: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait for a block after which it is so. Raises DeadlineExceeded with `what`."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(loop.time() + seconds), self._changed:
                await self._changed.wait_for(lambda: is_so() or self._failed is not None)
        except TimeoutError:
            raise DeadlineExceeded(f"not in {seconds:.0f} s: {what}; {self._as_text()}") from None
        if self._failed is not None:
            raise self._failed

    def in_state(self, state: SlotState) -> int:
        return sum(line.state == state for line in self.slots)

    def proved_in(self, period: int) -> set[int]:
        return {proof.slot for proof in self.proofs if proof.period == period}

    async def _take(self, batch: Batch) -> None:
        self.head = batch.head
        for event in batch.events:
            self._hear(event, batch.head.timestamp)
        if self.slots:
            await self._read_slots()
        for account in self.accounts:
            self.balances[account] = await self.market.balance(account)

    def _hear(self, event: MarketEvent, timestamp: int) -> None:
        match event:
            case SlotReserved():
                self.reserved.add(event.slot_index)
            case SlotFilled():
                self.filled_at[event.slot_index] = timestamp
            case RequestFulfilled():
                self.is_started = True
            case ProofSubmitted():
                for line in self.slots:
                    if line.slot_id == event.slot_id:
                        self._proved(line, timestamp)
            case _:
                pass

    def _proved(self, line: SlotLine, timestamp: int) -> None:
        terms = self.market.terms
        period = terms.period_of(timestamp)
        self.proofs.append(Proved(line.index, period, timestamp - terms.period_start(period)))

    async def _read_slots(self) -> None:
        ids = [line.slot_id for line in self.slots]
        states = await self.market.slot_states(ids)
        statuses = await self.market.proof_statuses(ids)
        last = self.market.terms.period_of(self.now) - 1
        missing = await self.market.can_mark_missing([(slot_id, last) for slot_id in ids])
        for line, state, status, is_missing in zip(
            self.slots, states, statuses, missing, strict=True
        ):
            missed = await self.market.missing_proofs(line.slot_id)
            is_lost = (line.state, state) == (SlotState.FILLED, SlotState.REPAIR)
            if is_missing or missed > line.missed or is_lost:
                # Of whoever had the slot before this block, in which it may have been marked.
                key = (line.index, last)
                self.overdue.setdefault(key, Overdue(line.index, last, line.host))
            line.state = state
            line.host = await self.market.host(line.slot_id)
            line.collateral = await self.market.current_collateral(line.slot_id)
            line.missed = missed
            line.is_required = status.is_required or status.will_be_required

    def _as_text(self) -> str:
        states = ", ".join(f"slot {line.index} {line.state.name.lower()}" for line in self.slots)
        return f"block {self.head.number if self.head else 0}, {states or 'no slots yet'}"
