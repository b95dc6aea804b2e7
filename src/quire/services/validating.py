"""The validator: marks the proofs that hosts have missed, and is paid for it by the contract.

    SlotFilled ─► watched ┐
    a period ends ────────┴─► states of all, in one call ─► not filled: dropped
        ─► markable?, in one call ─► marked, all in the first block of the window
        ─► each block of the window: what became markable since, what did not get into the chain

Nothing depends on one validator: what it does not mark nobody is slashed for, and a validator that
comes back goes on with the next window.

Read next: quire.market.validation
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import QuireError
from quire.base.events import EventBus
from quire.chain.abi import id_text
from quire.chain.events import ProofSubmitted
from quire.chain.port import Batch, Head, Market
from quire.chain.values import SlotId
from quire.market.block_pace import BlockPace
from quire.market.validation import MarkWindow, Rivalry, Share
from quire.services.lookout import Lookout
from quire.services.mark_round import MarkRound
from quire.services.market_feed import Feed
from quire.services.validated_slots import ValidatedSlots
from quire.store.journal import Journal

LOOK_SECONDS_MAX = 60.0
LAST_BLOCKS = 2  # of a window: nothing is left to others any more


@dataclass(slots=True)
class ValidatorCounts:
    """Since the node started."""

    windows: int = 0  # that were looked at
    windows_missed: int = 0  # that were over before they could be
    checked: int = 0  # slots, in all windows
    marked: int = 0
    beaten: int = 0  # marks that somebody else made first
    failed: int = 0  # attempts that came to nothing
    transactions: int = 0


class Validator:
    """One validator at one market."""

    def __init__(
        self,
        market: Market,
        feed: Feed,
        journal: Journal,
        *,
        share: Share,
        events: EventBus,
    ) -> None:
        self._market = market
        self._events = events
        self.share = share
        self.slots = ValidatedSlots(share, journal)
        self.counts = ValidatorCounts()
        self._pace = BlockPace(market.terms)
        self._rivalry = Rivalry()
        self._head: Head | None = None
        self._proved: dict[int, set[SlotId]] = {}  # by period, as far as it is sure
        self._round: MarkRound | None = None
        self._last_period: int | None = None  # whose window was looked at, or was none of ours
        self._left_out = 0
        self._lookout = Lookout(feed, self._on_batch, self._look, self._failed, "validator", events)

    # ---- life ----

    async def start(self) -> None:
        """Raises StoreCorrupt."""
        await self.slots.load()
        self._lookout.start()

    async def stop(self) -> None:
        await self._lookout.stop()

    @property
    def next_window(self) -> tuple[int, int]:
        """The period whose misses can be marked next, and from when on, in chain time."""
        terms = self._market.terms
        period = MarkWindow.newest(self._market.clock.now(), terms).period + 1
        return period, MarkWindow.of(period, terms).first

    @property
    def spread_blocks(self) -> int:
        """Over so many blocks marks are spread, because others were faster."""
        return self._rivalry.spread

    # ---- the chain moves ----

    async def _on_batch(self, batch: Batch) -> None:
        terms = self._market.terms
        previous, self._head = self._head, batch.head
        self._pace.note(batch.head)
        await self.slots.note(batch.events)
        period = terms.period_of(batch.head.timestamp)
        if batch.is_rewound:
            self._proved.clear()  # what was submitted may not be any more
        elif previous is not None and terms.period_of(previous.timestamp) == period:
            proved = self._proved.setdefault(period, set())
            proved.update(e.slot_id for e in batch.events if isinstance(e, ProofSubmitted))
        if self.slots.left_out > self._left_out:
            self._left_out = self.slots.left_out
            told = f"{self._left_out} slots are not watched: this validator takes {len(self.slots)}"
            self._tell("full", told + "; raise validator-max-slots or use groups")
        self._lookout.wake()

    async def _look(self) -> float:
        await self._step()
        return self._until_next_look()

    def _failed(self, error: QuireError) -> None:
        self.counts.failed += 1
        self._tell("failed", f"missing proofs could not be looked at: {error.message}")

    def _until_next_look(self) -> float:
        """Seconds until the next window opens; within one, heads tell."""
        now, terms = self._market.clock.now(), self._market.terms
        window = MarkWindow.newest(now, terms)
        opens = MarkWindow.of(window.period + 1, terms).first
        return min(LOOK_SECONDS_MAX, max(0.01, opens - now))

    async def _step(self) -> None:
        head, now, terms = self._head, self._market.clock.now(), self._market.terms
        if head is None:
            return
        if not self.slots.is_filled and not await self.slots.back_fill(
            self._market, head, self._pace
        ):
            return
        newest = MarkWindow.newest(now, terms)
        if self._round is not None and self._round.window.period < newest.period:
            self._close(self._round)
        if self._last_period is None:
            self._last_period = newest.period - newest.is_open(now)
        if newest.is_open(now):
            await self._mark(newest, head, now)
        elif newest.period > self._last_period:
            self._miss(newest.period)

    async def _mark(self, window: MarkWindow, head: Head, now: float) -> None:
        block = head.number + 1
        if self._round is None:
            assert self._last_period is not None
            if window.period - 1 > self._last_period:
                self._miss(window.period - 1)
            spread = self._rivalry.spread
            self._round = MarkRound(self._market, window, block, spread)
            self._last_period = window.period
            await self.slots.read_to(head)
        round_, sent = self._round, self._round.transactions
        is_last = now + LAST_BLOCKS * self._pace.seconds > window.last
        proved = self._proved.get(window.period, set())
        due = await round_.look(block, self.slots.all(), proved, is_last=is_last)
        self.counts.marked += len(due)
        self.counts.transactions += round_.transactions - sent
        for slot in due:
            told = f"the proof of period {window.period} is marked as missing"
            self._events.publish("validator.marked", id_text(slot), told, period=window.period)
        await self.slots.drop(round_.gone)
        round_.gone.clear()

    def _close(self, round_: MarkRound) -> None:
        """Its window is over."""
        self._round = None
        counts, period = self.counts, round_.window.period
        self._proved = {p: s for p, s in self._proved.items() if p > period}
        if not round_.has_begun:
            counts.windows_missed += 1
            self._tell("window-missed", f"the misses of period {period} could not be looked at")
            return
        counts.windows += 1
        counts.checked += round_.checked
        counts.beaten += round_.beaten
        self._rivalry.note(round_.beaten)

    def _miss(self, period: int) -> None:
        """Windows up to this period's went by."""
        assert self._last_period is not None
        unseen = period - self._last_period
        self._last_period = period
        self.counts.windows_missed += unseen
        self._tell(
            "window-missed",
            f"misses of {unseen} periods up to {period} were not marked: the validator was behind",
        )

    def _tell(self, what: str, message: str) -> None:
        self._events.publish(f"validator.{what}", "", message)
