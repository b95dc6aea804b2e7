"""SUBMIT: proofs of many slots and hosts get into the chain together, each with a promise.

    accept ─► the chain's word on it (submit_checks) ─► the proof itself, in a batch ─► promise
    do     ─► gathered ─► transactions of many (proof_sender) ─► Done, with the transaction

What is promised is in the journal with the job before it is told. A proof that is in the chain
already is nobody's debt. Source   market.md 6.3, 6.4; ADR 0044
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from quire.aggregation.job import Done, Job
from quire.aggregation.values import JobId, SubmitWork
from quire.base.clock import Clock
from quire.base.errors import InsufficientFunds, QuireError, Refused
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.abi import id_text
from quire.chain.bonds import Bonds, Promise, promise_digest
from quire.chain.events import ProofSubmitted
from quire.chain.port import Batch, Market, Receipt, Submission
from quire.chain.values import SlotId
from quire.formats.aggregator import AggregatorAnswer
from quire.formats.aggregator_asking import AcceptSubmit, QuoteRequest
from quire.formats.aggregator_codes import Code
from quire.market.submit_policy import GATHERING, Ready, may_batch, promise_until
from quire.services.aggregating.bond_cover import BondCover
from quire.services.aggregating.doer import Accept, Accepted, Asked, Terms
from quire.services.aggregating.expected_proofs import ExpectedProofs
from quire.services.aggregating.proof_checks import ProofChecks
from quire.services.aggregating.submit_checks import SubmitChecks
from quire.services.lookout import Lookout
from quire.services.market_feed import Feed
from quire.services.period_looks import PeriodLooks
from quire.services.proof_sender import ProofSender
from quire.services.submissions import submission_in

LOOK_SECONDS_MAX = 60.0
POOR_MS = 60_000  # after which a customer may ask again
UNKNOWN = -1
NO_GAS = "this node has nothing to pay for transactions with"


@dataclass(frozen=True, slots=True)
class SubmittingPorts:
    """`sign`: a digest, 32 bytes, with the key of the account that is paid and that submits, 65
    bytes; `jobs`: all that are remembered, of every service."""

    market: Market
    bonds: Bonds
    feed: Feed
    checks: ProofChecks
    sign: Callable[[bytes], bytes]
    jobs: Callable[[], Iterable[Job]]
    clock: Clock
    events: EventBus
    waits: Waits


@dataclass(frozen=True, slots=True, eq=False)
class _Gathered:
    """A proof that is on its way. `sent`: the receipt of its transaction; None: somebody else
    brought it into the chain."""

    key: str
    ready: Ready
    sent: asyncio.Future[Receipt | None]


class Submitting:
    """The doer of SUBMIT; hears what becomes of proofs (proof_sender.SenderEar)."""

    def __init__(self, ports: SubmittingPorts) -> None:
        market = ports.market
        self._ports = ports
        self._market = market
        self._looks = PeriodLooks(market)
        self._cover = BondCover(ports.bonds, market, ports.jobs)
        self._checks = SubmitChecks(market, self._looks, ports.checks)
        self._expected = ExpectedProofs(market)
        self._sender = ProofSender(
            market, self._looks.pace, self, ports.clock, ports.waits, GATHERING
        )
        self._gathered: dict[SlotId, _Gathered] = {}
        self._taken: dict[tuple[SlotId, int], JobId] = {}  # (slot, period), from accept to drop
        self._fresh: dict[JobId, None] = {}  # accepted in this life, and not begun
        self._period = -1
        self._poor_with: int | None = None  # wei that were too little; None: enough
        self._is_rewound = False
        self._lookout = Lookout(
            ports.feed, self._hear, self._look, self._trouble, "submitting", ports.events
        )

    # ---- life ----

    async def start(self) -> None:
        """Before the jobs go on."""
        self._sender.start()
        self._lookout.start()

    async def stop(self) -> None:
        """After the jobs have stopped. What is on its way may still get into the chain."""
        await self._lookout.stop()
        await self._sender.stop()
        await self._ports.checks.stop()

    # ---- before ----

    def offer_problem(self, quote: QuoteRequest) -> str:
        if not may_batch(self._market.terms):
            return "the contract of this chain takes proofs of a slot's host only"
        return NO_GAS if self._is_poor else ""

    def terms(self, quote: QuoteRequest) -> Terms:
        return Terms(seconds=self._market.terms.period)

    async def accept(self, asked: Asked) -> Accepted | AggregatorAnswer:
        body = asked.body
        assert isinstance(body, AcceptSubmit)
        place = (body.slot_id, body.period)
        if self._taken.get(place, asked.job_id) != asked.job_id:
            text = f"a proof of the slot for period {body.period} was taken with another job"
            return AggregatorAnswer(Code.CONFLICT, text)
        if self._cover.knows_in_chain(*place):
            text = f"the proof of the slot for period {body.period} is in the chain already"
            return AggregatorAnswer(Code.REFUSED, text)
        self._taken[place] = asked.job_id
        is_accepted = False
        try:
            answer = await self._accept(asked, body)
            is_accepted = isinstance(answer, Accepted)
        finally:
            if not is_accepted:
                self._forget(asked.job_id, place)
        return answer

    async def _accept(self, asked: Asked, body: AcceptSubmit) -> Accepted | AggregatorAnswer:
        amount = asked.offer.offer.bond
        if self._is_poor:
            return AggregatorAnswer(Code.BUSY, NO_GAS, None, POOR_MS)
        refusal = await self._checks.refusal(body, self._sender.send_seconds)
        if refusal is None and not await self._cover.reserve(asked.job_id, body.period, amount):
            text = f"the bond of this node does not cover a promise of {amount} more tokens now"
            refusal = AggregatorAnswer(Code.BUSY, text, None, int(1000 * self._looks.pace.seconds))
        if refusal is not None:
            return refusal
        self._fresh[asked.job_id] = None
        host = body.customer.account
        promise = Promise(self._market.account, host, body.slot_id, body.period, amount)
        signature = self._ports.sign(promise_digest(self._ports.bonds.domain, promise))
        work = SubmitWork(body.slot_id, body.period, body.challenge, body.proof, amount)
        return Accepted(work, signature)

    def again(self, job: Job, body: Accept) -> bool:
        work = job.work
        assert isinstance(work, SubmitWork)
        return isinstance(body, AcceptSubmit) and (
            (body.slot_id, body.period, body.challenge, body.proof)
            == (work.slot_id, work.period, work.challenge, work.proof)
        )

    @property
    def _is_poor(self) -> bool:
        """Nothing is promised until there is more to pay with."""
        return self._poor_with is not None

    # ---- the work ----

    async def do(self, job: Job) -> Done:
        work = job.work
        assert isinstance(work, SubmitWork)
        self._taken[work.slot_id, work.period] = job.job_id
        is_fresh = self._fresh.pop(job.job_id, "") is None
        self._cover.release(job.job_id)
        if not is_fresh:  # of an earlier life, which may have sent it
            found = await submission_in(self._market, self._looks.pace, work.slot_id, work.period)
            if found is not None:
                return self._done_by(job, found)
        gathered = self._gather(job, work)
        try:
            receipt = await gathered.sent
        finally:
            if self._gathered.get(work.slot_id) is gathered:
                del self._gathered[work.slot_id]
                self._sender.drop(work.slot_id)
        if receipt is not None:
            return Done(receipt.hash, int(self._looks.now), job.signature, receipt.block)
        found = await submission_in(self._market, self._looks.pace, work.slot_id, work.period)
        if found is None:
            raise Refused("its proof was in the chain, and a re-organisation took it out")
        return self._done_by(job, found)

    def _gather(self, job: Job, work: SubmitWork) -> _Gathered:
        """Raises Refused when its time is over."""
        now, terms = self._looks.now, self._market.terms
        end = min(terms.period_end(work.period), job.deadline)
        if now >= end:
            raise Refused(f"period {work.period} was over before its proof was submitted")
        ready = Ready(
            work.slot_id,
            work.period,
            work.challenge,
            work.proof,
            latest=end - self._sender.send_seconds,
            since=now,
            kin=job.customer,
        )
        future: asyncio.Future[Receipt | None] = asyncio.get_running_loop().create_future()
        gathered = self._gathered[work.slot_id] = _Gathered(job.key, ready, future)
        self._expected.served(work.slot_id)
        self._sender.add(ready)
        return gathered

    def _done_by(self, job: Job, found: Submission) -> Done:
        """Raises Refused when it was somebody else."""
        if found.sender != self._market.account:
            raise Refused(
                f"{id_text(found.sender)} brought the proof into the chain; nothing is charged"
            )
        return Done(found.hash, int(self._looks.now), job.signature, found.block)

    async def drop(self, job: Job) -> None:
        work = job.work
        assert isinstance(work, SubmitWork)
        self._forget(job.job_id, (work.slot_id, work.period))

    def _forget(self, job_id: JobId, place: tuple[SlotId, int]) -> None:
        self._fresh.pop(job_id, None)
        self._cover.release(job_id)
        if self._taken.get(place) == job_id:
            del self._taken[place]
        self._sender.look_again()  # one less is coming

    def progress(self, job: Job) -> tuple[int, str]:
        work = job.work
        assert isinstance(work, SubmitWork)
        count = len(self._gathered)
        if work.slot_id not in self._gathered:
            return 0, "its proof is looked for in the chain"
        return 500, f"{count} proofs are gathered or on their way into the chain"

    # ---- the chain moves ----

    async def _hear(self, batch: Batch) -> None:
        is_of_period = self._looks.note(batch)
        if batch.is_rewound:
            self._is_rewound = True
            self._cover.forget_period(self._looks.period)
        if not is_of_period:
            return
        for event in batch.events:
            if isinstance(event, ProofSubmitted):
                self._in_chain(event.slot_id)

    def _in_chain(self, slot_id: SlotId) -> None:
        """The contract took a proof in the present period, whoever brought it."""
        period = self._looks.period
        self._cover.is_in_chain(slot_id, period)
        gathered = self._gathered.get(slot_id)
        if gathered is None or gathered.ready.period != period:
            return
        if not self._sender.drop(slot_id):  # else its outcome will be told
            _settle(gathered, None)

    async def _look(self) -> float:
        period = self._looks.period
        if period != self._period:
            await self._expected.begin_period()
            self._period = period
            self._cover.begin_period()
        if self._poor_with is not None:
            has, had = await self._market.gas_balance(), self._poor_with
            self._poor_with = has if had == UNKNOWN or has <= had else None
        if self._is_rewound:
            await self._look_at_challenges()
            self._is_rewound = False
        self._sender.look_again()
        left = self._market.terms.period_end(period) - self._looks.now
        return min(LOOK_SECONDS_MAX, max(0.5, left))

    async def _look_at_challenges(self) -> None:
        """A re-organisation may have changed what the proofs have to answer."""
        waiting = list(self._gathered.values())
        if not waiting:
            return
        statuses = await self._market.proof_statuses([each.ready.slot_id for each in waiting])
        for gathered, status in zip(waiting, statuses, strict=True):
            ready = gathered.ready
            if status.period == ready.period and status.challenge != ready.challenge:
                self._sender.drop(ready.slot_id)
                words = "a re-organisation of the chain changed the challenge that it answers"
                _fail(gathered, Refused(words))

    def _trouble(self, error: QuireError) -> None:
        self._ports.events.publish("submitting.trouble", "", error.message)

    # ---- what the sender tells ----

    def proofs_coming(self) -> int:
        """Of this period: accepts that are being looked at, and slots that came before."""
        period = self._looks.period
        if self._looks.now >= promise_until(period, self._market.terms):
            return 0
        taken = sum(period == of for _, of in self._taken)
        gathered = sum(each.ready.period == period for each in self._gathered.values())
        return max(0, taken - gathered) + self._expected.count

    async def proofs_sent(self, ready: Sequence[Ready], receipt: Receipt | None) -> None:
        for each in ready:
            self._cover.is_in_chain(each.slot_id, each.period)
            gathered = self._gathered.get(each.slot_id)
            if gathered is not None and gathered.ready.period == each.period:
                _settle(gathered, receipt)
        if receipt is not None:
            self._ports.events.publish(
                "submitting.sent",
                "",
                f"{len(ready)} proofs of others are in the chain, in one transaction",
                proofs=len(ready),
                gas=receipt.gas_used,
            )

    def proof_refused(self, ready: Ready, error: QuireError, *, is_final: bool) -> None:
        if isinstance(error, InsufficientFunds):
            self._poor_with = UNKNOWN
            self._lookout.wake()
        gathered = self._gathered.get(ready.slot_id)
        if gathered is None or gathered.ready.period != ready.period:
            return
        if is_final:
            _fail(gathered, Refused(f"its proof is not in the chain: {error.message}"))
        else:
            words = f"its proof was not sent yet: {error.message}"
            self._ports.events.publish("job.at-risk", gathered.key, words)


def _settle(gathered: _Gathered, receipt: Receipt | None) -> None:
    if not gathered.sent.done():
        gathered.sent.set_result(receipt)


def _fail(gathered: _Gathered, error: QuireError) -> None:
    if not gathered.sent.done():
        gathered.sent.set_exception(error)
