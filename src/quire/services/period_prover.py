"""Proves the slots of this host, period after period, in time.

    a period begins ─► one call: what is asked of every slot (period_looks) ─► plan
       ─► proofs, the earliest deadline first (proof_maker) ─► transactions (proof_sender)
       ─► what was missed is told when the period is over

State is read again whenever the chain moves: a new head decides anew about slots whose pointer is
near its wrap; after a re-organisation everything is asked once more. What was sent is noted in the
journal, so that a node that starts in the middle of a period does not send it twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from quire.base.clock import Clock
from quire.base.errors import (
    DeadlineExceeded,
    NotFound,
    QuireError,
)
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.events import ProofSubmitted
from quire.chain.port import Batch, Market, ProofStatus, Receipt
from quire.chain.values import SlotId
from quire.formats.cid import Cid
from quire.market.period_plan import Duty
from quire.market.submit_policy import Ready
from quire.services.lookout import Lookout
from quire.services.market_feed import Feed
from quire.services.period_looks import PeriodLooks
from quire.services.proof_duty import ProofDuty
from quire.services.proof_maker import ProofMaker, ProvingMeans
from quire.services.proof_outcomes import IN_CHAIN, ProofOutcomes, ProvingCounts
from quire.services.proof_sender import ProofSender
from quire.store.journal import Journal

SOON_SECONDS = 0.5
DOUBT_BLOCKS = 2  # after a re-organisation, for a proof to show up again
LOOK_SECONDS_MAX = 60.0  # between two looks at the clock, whatever heads come


class Courier(Protocol):
    """Who may bring this host's proofs into the chain in its stead. Must not raise or wait."""

    def carry(self, ready: Ready, send_seconds: float, hold: Callable[[float], None]) -> float:
        """Take a proof over, if it can be. Chain time before which the host does not send it; it
        may be moved with `hold` later. Asked again for the same after a restart."""

    def sent(self, ready: Ready) -> None:
        """The host has brought it into the chain itself."""

    def is_in_chain(self, slot_id: SlotId, period: int) -> None:
        """Somebody has brought it there."""


class PeriodProver:
    """All slots that one account has to prove at one market."""

    def __init__(
        self,
        market: Market,
        means: ProvingMeans,
        feed: Feed,
        journal: Journal,
        *,
        clock: Clock,
        events: EventBus,
        waits: Waits,
    ) -> None:
        self._market = market
        self._means = means
        self._outcomes = ProofOutcomes(market, journal, events)
        self._looks = PeriodLooks(market)
        self._maker = ProofMaker(market, means, clock, self._outcomes.trouble)
        self._sender = ProofSender(market, self._looks.pace, self, clock, waits)
        self._duties: dict[SlotId, ProofDuty] = {}
        self._doubt: dict[SlotId, int] = {}  # not seen since a re-organisation; block until when
        self._courier: Courier | None = None
        self._seconds = 0.0  # that the newest proof took
        self._lookout = Lookout(
            feed, self._on_batch, self._look, self._not_asked, "periods", events
        )

    # ---- life ----

    async def start(self) -> None:
        """Read what was sent before. Raises StoreCorrupt."""
        await self._outcomes.load()
        self._sender.start()
        self._lookout.start()

    async def stop(self) -> None:
        """Cancel what is under way. What is not in the chain yet is made again after a start."""
        await self._lookout.stop()
        tasks = [duty.task for duty in self._duties.values() if duty.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._sender.stop()

    def give_to(self, courier: Courier) -> None:
        """Hand every proof to somebody who may submit it, from now on."""
        self._courier = courier

    # ---- slots ----

    def watch(self, slot_id: SlotId, cid: Cid, slot_index: int, request_end: int) -> None:
        """Prove a slot from now on. Asked again, only the end is changed."""
        duty = self._duties.get(slot_id)
        if duty is not None:
            duty.request_end = request_end
            return
        duty = self._duties[slot_id] = ProofDuty(slot_id, cid, slot_index, request_end)
        duty.last = self._outcomes.last_of(duty.subject)
        self._lookout.wake()

    def unwatch(self, slot_id: SlotId) -> None:
        """The slot is not this host's to prove any more."""
        duty = self._duties.pop(slot_id, None)
        if duty is not None:
            duty.stop()
            self._sender.drop(slot_id)
            self._doubt.pop(slot_id, None)

    @property
    def counts(self) -> ProvingCounts:
        return self._outcomes.counts

    @property
    def watched(self) -> list[SlotId]:
        return list(self._duties)

    def state(self, slot_id: SlotId) -> dict[str, object]:
        """How a slot's proving is going, as data for the API. Raises NotFound."""
        duty = self._duties.get(slot_id)
        if duty is None:
            raise NotFound(f"slot 0x{slot_id.hex()} is not proved by this node")
        end = self._market.terms.period_end(self._looks.period)
        return duty.as_dict(end, self._looks.now)

    def words(self, slot_id: SlotId) -> list[str]:
        """The same in sentences; none for a slot that is not proved."""
        duty = self._duties.get(slot_id)
        if duty is None:
            return []
        return duty.words(self._market.terms.period_end(self._looks.period))

    # ---- the chain moves ----

    async def _on_batch(self, batch: Batch) -> None:
        is_of_period = self._looks.note(batch)
        if batch.is_rewound:
            for duty in self._duties.values():
                if duty.state == "submitted":
                    self._doubt[duty.slot_id] = batch.head.number + DOUBT_BLOCKS
        if is_of_period:
            for event in batch.events:
                if isinstance(event, ProofSubmitted):
                    await self._on_submitted(event.slot_id)
        self._lookout.wake()

    async def _on_submitted(self, slot_id: SlotId) -> None:
        """The contract took a proof in the present period, whoever brought it."""
        duty = self._duties.get(slot_id)
        if duty is None or duty.status is None or duty.period != self._looks.period:
            return
        self._doubt.pop(slot_id, None)
        if self._courier is not None:
            self._courier.is_in_chain(slot_id, duty.status.period)
        if duty.is_under_way:
            self._sender.drop(slot_id)
            await self._outcomes.sent([(duty, duty.status.period, duty.status.challenge)])

    async def _look(self) -> float:
        await self._step()
        return self._until_next_look()

    def _not_asked(self, error: QuireError) -> None:
        self._outcomes.tell("not-asked", "", f"it is not known what to prove: {error.message}")

    def _until_next_look(self) -> float:
        """Seconds until there is something to look at even if no head comes."""
        period, now = self._looks.period, self._looks.now
        if any(d.period is None or d.period < period for d in self._duties.values()):
            return SOON_SECONDS  # the chain's next block is in the old period still
        return min(LOOK_SECONDS_MAX, max(0.01, self._market.terms.period_end(period) - now))

    async def _step(self) -> None:
        """Ask what has to be asked, decide, begin what is to be done."""
        for duty, status, block in await self._looks.ask(self._duties.values()):
            if self._duties.get(duty.slot_id) is duty:
                self._look_at(duty, status, block)
        asked = self.counts.asked
        for duty in list(self._duties.values()):
            self._decide(duty)
        if self.counts.asked > asked:
            self._foresee()
        self._send_again_what_is_gone()
        await self._outcomes.count_missed(self._duties)
        self._sender.look_again()

    def _look_at(self, duty: ProofDuty, status: ProofStatus, block: int) -> None:
        old = duty.status
        if old is not None and status.period < old.period:
            return  # asked of a node that is behind
        if old is not None and status.period > old.period and duty.is_under_way:
            self._be_late(duty, "the period ended before its proof was in the chain")
        if old is None or (status.period, status.challenge) != (old.period, old.challenge):
            self._sender.drop(duty.slot_id)
            self._doubt.pop(duty.slot_id, None)
        duty.look_at(status, block)
        if duty.is_in_chain:
            duty.state, duty.reason = "submitted", IN_CHAIN

    def _decide(self, duty: ProofDuty) -> None:
        if duty.state in ("submitted", "missed"):
            return
        plan = self._looks.plan(duty)
        if plan is None:
            if duty.is_under_way:
                self._stop_wrapped(duty)
            return
        duty.decide(plan)
        if not duty.is_to_begin or duty.status is None:
            return
        self.counts.asked += 1
        duty.state, duty.reason = "proving", plan.duty.value
        seconds = plan.latest - self._looks.now
        told = f"period {duty.period}: {plan.duty.value}; {seconds:.1f} s are left"
        self._outcomes.tell("required", duty.subject, told, period=duty.period)
        work = self._prove(duty, duty.status)
        duty.task = asyncio.get_running_loop().create_task(work, name="prove-period")

    def _foresee(self) -> None:
        """Whether there will be time for every proof of the period."""
        coming = [duty for duty in self._duties.values() if duty.state == "proving"]
        left = min(duty.plan.latest for duty in coming if duty.plan) - self._looks.now
        self._outcomes.foresee(len(coming), self._seconds, self._means.proofs.at_once, left)

    # ---- one proof ----

    async def _prove(self, duty: ProofDuty, status: ProofStatus) -> None:
        try:
            job = await self._maker.make(duty, status)
        except DeadlineExceeded as error:
            duty.task = None
            self._be_late(duty, error.message)
            return
        finally:
            self._sender.look_again()  # one less is coming
        assert job.proof is not None
        self._seconds = job.seconds or 0.0
        self._outcomes.made(duty, self._seconds)
        duty.task = None
        self._send(duty, job.proof.proof)

    def _send(self, duty: ProofDuty, proof: bytes) -> None:
        status, plan = duty.status, duty.plan
        assert status is not None
        assert plan is not None
        duty.proof = proof
        duty.state, duty.reason = "ready", "the proof is made and on its way into the chain"
        ready = Ready(
            duty.slot_id, status.period, status.challenge, proof, plan.latest, self._looks.now
        )
        if self._courier is not None:
            seconds, hold = self._sender.send_seconds, partial(self._sender.hold, ready)
            ready = replace(ready, not_before=self._courier.carry(ready, seconds, hold))
        self._sender.add(ready)

    # ---- what the sender tells ----

    def proofs_coming(self) -> int:
        return sum(duty.state == "proving" for duty in self._duties.values())

    async def proofs_sent(self, ready: Sequence[Ready], receipt: Receipt | None) -> None:
        self.counts.transactions += receipt is not None
        if self._courier is not None and receipt is not None:
            for each in ready:
                self._courier.sent(each)
        found = [(self._duties.get(r.slot_id), r.period, r.challenge) for r in ready]
        await self._outcomes.sent([(d, period, what) for d, period, what in found if d is not None])

    def proof_refused(self, ready: Ready, error: QuireError, *, is_final: bool) -> None:
        duty = self._duties.get(ready.slot_id)
        if duty is None:
            return
        if duty.period != ready.period:
            self._outcomes.late(duty, ready.period, f"its proof came too late: {error.message}")
        elif is_final and duty.state == "ready":
            self._be_late(duty, f"its proof is not in the chain: {error.message}")
        elif not is_final:
            self._outcomes.at_risk(duty, f"its proof was not sent yet: {error.message}")

    # ---- what went wrong ----

    def _send_again_what_is_gone(self) -> None:
        """Proofs that a re-organisation took out of the chain and that did not come back."""
        head = self._looks.head
        gone = [s for s, until in self._doubt.items() if head and head.number >= until]
        for slot_id in gone:
            duty = self._duties[slot_id]
            del self._doubt[slot_id]
            self._outcomes.tell(
                "again", duty.subject, "a re-organisation took its proof out of the chain"
            )
            duty.last = None
            duty.state, duty.reason = "idle", "its proof has to be sent again"
            if duty.proof is None:
                self._decide(duty)
            else:
                self._send(duty, duty.proof)

    def _stop_wrapped(self, duty: ProofDuty) -> None:
        """Its pointer wrapped before its proof was in the chain: it is not wanted any more."""
        duty.stop()
        self._sender.drop(duty.slot_id)
        duty.state, duty.reason = "waiting", Duty.WRAPS.value
        self._outcomes.tell("not-wanted", duty.subject, Duty.WRAPS.value, period=duty.period)

    def _be_late(self, duty: ProofDuty, why: str) -> None:
        """The present period's proof will not be in the chain."""
        assert duty.period is not None
        duty.stop()
        is_on_its_way = self._sender.drop(duty.slot_id)
        duty.state, duty.reason = "missed", why
        if not is_on_its_way:
            self._outcomes.late(duty, duty.period, why)
