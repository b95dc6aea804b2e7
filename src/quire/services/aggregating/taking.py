"""Takes jobs from customers: what is answered to accept, push, seal and status.

    accept ─► known? ─► the same? ─► as it stands
                └ no ─► offer, admission, its doer ─► a machine ─► as it stands

Whatever an OK says is durable before it is sent. Questions about one job are taken one at a time,
blocks excepted; each may come again and gets the same answer. An accept of a proof is answered when
the proof is made.
Source   market.md 6.4; docs/reference/aggregator-protocol.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from quire.aggregation.job import ENDS, Job, Pushed, Sealed
from quire.aggregation.job_machine import PUSH_SECONDS, push_until
from quire.aggregation.values import JobId, SubmitWork, service_of
from quire.base.errors import QuireError
from quire.chain.port import ChainClock
from quire.formats.aggregator import AggregatorAnswer
from quire.formats.aggregator_answers import (
    Answering,
    EncodedAnswer,
    Progress,
    PromiseAnswer,
    ProofAnswer,
    SubmittedAnswer,
)
from quire.formats.aggregator_asking import (
    AcceptEncode,
    AcceptProve,
    AcceptSubmit,
    PushBlocks,
    Seal,
)
from quire.formats.aggregator_codes import Code, Service, Stage
from quire.net.transport import PeerId
from quire.services.aggregating.admission import Admission
from quire.services.aggregating.doer import Accept, Accepted, Asked, Doer
from quire.services.aggregating.jobs import Jobs
from quire.services.aggregating.offering import Offering
from quire.services.aggregating.pushed import Pushed as PushedDatasets
from quire.services.aggregating.settings import AggregatorLimits
from quire.services.turns import Turns

_WITH_RESULT = (Stage.READY, Stage.SERVING, Stage.SETTLED)
_SERVICES = {
    AcceptEncode: Service.ENCODE,
    AcceptProve: Service.PROVE,
    AcceptSubmit: Service.SUBMIT,
}


class Taking:
    """One node's. `peer` is who asks."""

    def __init__(
        self,
        jobs: Jobs,
        doers: Mapping[Service, Doer],
        offering: Offering,
        admission: Admission,
        pushed: PushedDatasets | None,
        limits: AggregatorLimits,
        chain: ChainClock,
    ) -> None:
        self._chain = chain
        self._jobs = jobs
        self._doers = doers
        self._offering = offering
        self._admission = admission
        self._pushed = pushed
        self._limits = limits
        self._turns = Turns()

    async def start(self) -> None:
        """Raises StoreCorrupt."""
        if self._pushed is not None:
            await self._pushed.start([job.job_id for job in self._jobs if job.at not in ENDS])

    async def stop(self) -> None:
        if self._pushed is not None:
            await self._pushed.stop()

    async def accept(self, peer: PeerId, job_id: JobId, body: Accept) -> AggregatorAnswer:
        """Raises QuireError."""
        async with self._turns.of(job_id):
            job = self._jobs.find(job_id)
            if job is None:
                answer = await self._begin(peer, job_id, body)
                if answer is not None:
                    return answer
            elif job.peer != peer:
                return AggregatorAnswer(Code.UNKNOWN_JOB, "this job id is not yours")
            elif not self._is_same(job, body):
                text = "this job id is used for something else; take another"
                return AggregatorAnswer(Code.CONFLICT, text)
        if isinstance(body, AcceptProve):
            await self._jobs.until_worked(job_id)
        job = self._jobs.find(job_id)
        if job is None:
            return AggregatorAnswer(Code.UNKNOWN_JOB, "the job was forgotten meanwhile")
        if isinstance(job.work, SubmitWork) and job.at is Stage.WORKING:
            promise = PromiseAnswer(job.work.amount, job.signature)
            return AggregatorAnswer(Code.OK, "", promise)
        return await self.state(job)

    async def push(self, job: Job, run: PushBlocks) -> AggregatorAnswer:
        """OK says that every block up to the end of this run is durable."""
        if self._pushed is None or not job.is_pushed:
            return AggregatorAnswer(Code.REFUSED, "no blocks are to be pushed for this job")
        if job.at is not Stage.ACCEPTED:
            return await self.progress(job)
        refusal = await self._pushed.put(job, run.index, memoryview(run.blocks))
        if refusal is None:
            await self._note_pushed(job)
        return refusal or await self.progress(job)

    async def seal(self, job: Job, asked: Seal) -> AggregatorAnswer:
        """Raises QuireError."""
        if self._pushed is None:
            return AggregatorAnswer(Code.REFUSED, "no blocks are to be pushed for this job")
        async with self._turns.of(job.job_id):
            now = self._jobs.find(job.job_id) or job
            if now.at is not Stage.ACCEPTED:
                return await self.state(now)
            sealed = await self._pushed.seal(now, bytes(asked.manifest))
            if isinstance(sealed, AggregatorAnswer):
                return sealed
            return await self.state(await self._jobs.post(now, Sealed(sealed)))

    async def state(self, job: Job) -> AggregatorAnswer:
        """The result, or how far it is."""
        if job.at not in _WITH_RESULT:
            return await self.progress(job)
        return AggregatorAnswer(Code.OK, "", _result(job))

    async def progress(self, job: Job) -> AggregatorAnswer:
        """How far it is."""
        permille, words = self._jobs.progress(job)
        blocks = 0
        if job.at is Stage.ACCEPTED and self._pushed is not None:
            blocks = await self._pushed.here(job)
            permille = self._pushed.permille(job, blocks)
        return AggregatorAnswer(Code.OK, "", Progress(job.at, permille, words, blocks))

    # ---- inside ----

    async def _note_pushed(self, job: Job) -> None:
        """Who pushes has more time; written down now and then."""
        now = int(self._chain.now())
        if push_until(now, job.deadline) > job.until + PUSH_SECONDS // 8:
            await self._jobs.post(job, Pushed(now))

    def _is_same(self, job: Job, body: Accept) -> bool:
        customer, doer = body.customer, self._doers.get(service_of(job.work))
        return (
            customer.account == job.customer
            and customer.offer_hash == job.offer.digest
            and body.deadline == job.deadline
            and doer is not None
            and doer.again(job, body)
        )

    async def _begin(self, peer: PeerId, job_id: JobId, body: Accept) -> AggregatorAnswer | None:
        """A new job; or why it is not taken."""
        offered = self._offering.find(body.customer.offer_hash)
        if offered is None:
            text = "that offer does not hold any more; ask for another"
            return AggregatorAnswer(Code.PRICE, text)
        offer, customer = offered.signed, body.customer
        if offer.offer.service is not _SERVICES[type(body)]:
            text = f"that offer is one of {offer.offer.service.name}; ask for another"
            return AggregatorAnswer(Code.PRICE, text)
        refusal = await self._admission.refusal(job_id, peer, customer, offer, body.deadline)
        if refusal is not None:
            return refusal
        with self._admission.coming(job_id, peer, customer.account, offer):
            return await self._do(Asked(job_id, peer, offer, offered.quote, body))

    async def _do(self, asked: Asked) -> AggregatorAnswer | None:
        doer = self._doers[asked.offer.offer.service]
        accepted = await doer.accept(asked)
        if isinstance(accepted, AggregatorAnswer):
            return accepted
        job = self._job(asked, accepted)
        try:
            await self._jobs.begin(job)
        except QuireError:
            await doer.drop(job)
            raise
        return None

    def _job(self, asked: Asked, accepted: Accepted) -> Job:
        limits, work = self._limits, accepted.work
        job = Job(
            job_id=asked.job_id,
            at=Stage.WORKING,
            peer=asked.peer,
            customer=asked.body.customer.account,
            offer=asked.offer,
            work=work,
            deadline=asked.body.deadline,
            release_seconds=limits.release_seconds,
            serve_seconds=limits.serve_seconds,
            signature=accepted.signature,
        )
        if not job.is_pushed:
            return job
        until = push_until(int(self._chain.now()), job.deadline)
        return replace(job, at=Stage.ACCEPTED, until=until)


def _result(job: Job) -> Answering:
    match service_of(job.work):
        case Service.ENCODE:
            return EncodedAnswer(job.result, job.signature)
        case Service.PROVE:
            return ProofAnswer(job.result)
        case Service.SUBMIT:
            return SubmittedAnswer(job.result, job.block)
